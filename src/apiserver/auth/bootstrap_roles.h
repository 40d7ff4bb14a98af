// The roles and bindings that every cluster starts with, as data. Upstream's names and permissions
// (1.34), plus kinglet's own for nodes that join with a token.
#pragma once
#include <span>
#include <string_view>

namespace kinglet::apiserver {

// One rule of a role. `role` is the name of a ClusterRole, or "<namespace>/<name>" of a Role. Lists
// are comma-separated; in `groups` the core group is "core". Rows of one role stand together.
struct BootstrapRule {
  std::string_view role, verbs, groups, resources, names, urls;
};
// `binding` is named as roles are. Subjects: "User:u", "Group:g", "ServiceAccount:<ns>/<name>",
// comma-separated.
struct BootstrapBinding {
  std::string_view binding, role, subjects;
};
// A ClusterRole made of others, and the label by which it selects them.
struct BootstrapAggregate {
  std::string_view role, label;
};

std::span<const BootstrapRule> bootstrap_rules();
std::span<const BootstrapBinding> bootstrap_bindings();
std::span<const BootstrapAggregate> bootstrap_aggregates();
// Roles that carry the label of an aggregate.
std::span<const BootstrapAggregate> bootstrap_aggregated();

}  // namespace kinglet::apiserver
