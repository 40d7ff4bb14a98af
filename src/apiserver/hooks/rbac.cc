// Roles and bindings. Escalation is checked by admission, where the authoriser is known.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void check_rule(const json::Value& rule, const Path& path, bool namespaced, Causes& causes) {
  if (items(rule, "verbs").empty())
    schema::add_required(causes, path.child("verbs"), "verbs must contain at least one value");
  if (!items(rule, "nonResourceURLs").empty()) {
    if (namespaced)
      schema::add_invalid(causes, path.child("nonResourceURLs"), at(rule, "nonResourceURLs"),
                          "namespaced rules cannot apply to non-resource URLs");
    for (const std::string_view member : {"apiGroups", "resources", "resourceNames"})
      if (!items(rule, member).empty())
        return schema::add_invalid(
            causes, path.child("nonResourceURLs"), at(rule, "nonResourceURLs"),
            "rules cannot apply to both regular resources and non-resource URLs");
    return;
  }
  if (items(rule, "apiGroups").empty())
    schema::add_required(causes, path.child("apiGroups"),
                         "resource rules must supply at least one api group");
  if (items(rule, "resources").empty())
    schema::add_required(causes, path.child("resources"),
                         "resource rules must supply at least one resource");
}

class RoleHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const auto& rules = items(object, "rules");
    const Path list("rules");
    for (size_t i = 0; i < rules.size(); ++i)
      check_rule(rules[i], list.index(i), context.resource.namespaced, causes);
    const auto& aggregation = at(object, "aggregationRule");
    if (!given(aggregation)) return;
    const Path path("aggregationRule");
    const auto& selectors = items(aggregation, "clusterRoleSelectors");
    const Path at_selectors = path.child("clusterRoleSelectors");
    if (selectors.empty())
      schema::add_required(
          causes, at_selectors,
          "at least one clusterRoleSelector required if aggregationRule is non-nil");
    for (size_t i = 0; i < selectors.size(); ++i)
      check_selector(causes, at_selectors.index(i), selectors[i]);
  }
};

void check_subject(const json::Value& subject, const Path& path, bool namespaced, Causes& causes) {
  if (text(subject, "name").empty()) schema::add_required(causes, path.child("name"));
  const auto kind = text(subject, "kind");
  const auto& group = at(subject, "apiGroup");
  if (kind == "ServiceAccount") {
    if (!is_empty(group)) schema::add_unsupported(causes, path.child("apiGroup"), group, {""});
    if (!namespaced && text(subject, "namespace").empty())
      schema::add_required(causes, path.child("namespace"));
  } else if (kind == "User" || kind == "Group") {
    if (text(subject, "apiGroup") != kGroup)
      schema::add_unsupported(causes, path.child("apiGroup"), group, {kGroup});
  } else {
    schema::add_unsupported(causes, path.child("kind"), at(subject, "kind"),
                            {"ServiceAccount", "User", "Group"});
  }
}

class BindingHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const bool namespaced = context.resource.namespaced;
    const auto& ref = at(object, "roleRef");
    const Path path("roleRef");
    if (text(ref, "apiGroup") != kGroup)
      schema::add_unsupported(causes, path.child("apiGroup"), json::Value(text(ref, "apiGroup")),
                              {kGroup});
    if (text(ref, "kind") != "ClusterRole" && !(namespaced && text(ref, "kind") == "Role")) {
      if (namespaced) {
        schema::add_unsupported(causes, path.child("kind"), json::Value(text(ref, "kind")),
                                {"Role", "ClusterRole"});
      } else {
        schema::add_unsupported(causes, path.child("kind"), json::Value(text(ref, "kind")),
                                {"ClusterRole"});
      }
    }
    if (text(ref, "name").empty()) schema::add_required(causes, path.child("name"));
    const auto& subjects = items(object, "subjects");
    const Path list("subjects");
    for (size_t i = 0; i < subjects.size(); ++i)
      check_subject(subjects[i], list.index(i), namespaced, causes);
    if (old && !equal(ref, at(*old, "roleRef")))
      schema::add_invalid(causes, path, ref, "cannot change roleRef");
  }
};

}  // namespace

void add_rbac_hooks(Hooks& hooks) {
  const std::string prefix = std::string(kGroup) + "/";
  hooks.emplace(prefix + "roles", std::make_unique<RoleHooks>());
  hooks.emplace(prefix + "clusterroles", std::make_unique<RoleHooks>());
  hooks.emplace(prefix + "rolebindings", std::make_unique<BindingHooks>());
  hooks.emplace(prefix + "clusterrolebindings", std::make_unique<BindingHooks>());
}

}  // namespace kinglet::apiserver
