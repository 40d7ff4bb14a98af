// NetworkPolicies as nftables rules, as values. Pure: the same world, the same rules.
//
// One table of its own, `ip kinglet_policy`. A pod of this node that policies select gets a chain per direction, in which
// what its policies allow is accepted and the rest is dropped; pods with the same policies share it. Both directions are
// decided where packets pass through the node's IP layer, behind the Services' address translation: ports and addresses
// are those of pods. What the node itself sends to its pods, and they to it (probes, DNS), is never filtered, as the API says.
// Source: NetworkPolicy v1 of networking.k8s.io.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "node/network/policy_model.h"
#include "node/network/proxy_rules.h"

namespace kinglet::network {

struct PolicyWorld {
  std::string node_name;
  std::vector<const PolicyObject*> policies;
  std::vector<const PolicyPod*> pods;
  std::vector<const PolicyNamespace*> namespaces;
  // The address of a pod of this node, which is known here before the API says it; empty: not known here.
  std::function<std::string(const PolicyPod&)> address_here;
};

Ruleset build_policy_rules(const PolicyWorld& world);

// As full_text() and change_text() of the Services' table.
std::string policy_full_text(const Ruleset& rules);
std::string policy_change_text(const Ruleset& from, const Ruleset& to);
std::string policy_removal_text();

}  // namespace kinglet::network
