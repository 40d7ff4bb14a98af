#include "apiserver/auth/authorizer.h"

#include "apiserver/auth/node_authorizer.h"
#include "apiserver/auth/rbac_cache.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kMasters = "system:masters";

const PolicyRules& everything() {
  static const PolicyRules rules = {{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}};
  return rules;
}

std::string describe(const std::string& subject) {
  const auto name = std::string_view(subject).substr(1);
  if (subject[0] == 'S') {
    const auto slash = name.find('/');
    return fmt::format("ServiceAccount \"{}/{}\"", name.substr(slash + 1), name.substr(0, slash));
  }
  return fmt::format("{} \"{}\"", subject[0] == 'U' ? "User" : "Group", name);
}

std::string describe(const Binding& binding, const std::string& subject) {
  const std::string name = binding.ns.empty()
                               ? fmt::format("ClusterRoleBinding \"{}\"", binding.name)
                               : fmt::format("RoleBinding \"{}/{}\"", binding.name, binding.ns);
  return fmt::format("RBAC: allowed by {} of {} \"{}\" to {}", name, binding.role_kind,
                     binding.role_name, describe(subject));
}

class Chain final : public RbacAuthorizer {
 public:
  explicit Chain(store::Store& store) : store_(store), cache_(store) {}

  Decision authorize(const User& user, const Attributes& attributes) const override {
    if (user.in_group(kMasters)) return {true, ""};
    if (const auto node = node_of(user)) {
      auto decision = authorize_node(store_, *node, attributes);
      if (decision.allowed) return decision;
      const auto rbac = by_rbac(user, attributes);
      return rbac.allowed ? rbac : decision;
    }
    return by_rbac(user, attributes);
  }

  json::Value rules_for(const User& user, std::string_view ns) const override {
    json::Array resource_rules, path_rules;
    for (const auto& rule : held_rules(user, ns)) {
      if (!rule.resources.empty()) {
        auto object = rule_object(rule);
        object.erase("nonResourceURLs");
        resource_rules.emplace_back(std::move(object));
      }
      if (!rule.non_resource_urls.empty()) {
        json::Object object;
        const auto whole = rule_object(rule);
        object["verbs"] = whole.at("verbs");
        object["nonResourceURLs"] = whole.at("nonResourceURLs");
        path_rules.emplace_back(std::move(object));
      }
    }
    return json::Object{{"resourceRules", std::move(resource_rules)},
                        {"nonResourceRules", std::move(path_rules)}};
  }

  PolicyRules held_rules(const User& user, std::string_view ns) const override {
    if (user.in_group(kMasters)) return everything();
    PolicyRules out;
    cache_.visit(user, ns, [&out](const Binding&, const PolicyRules* rules, const std::string&) {
      if (rules) out.insert(out.end(), rules->begin(), rules->end());
      return true;
    });
    return out;
  }

  std::optional<PolicyRules> role_rules(std::string_view ns, std::string_view name) const override {
    const auto* found = cache_.rules(ns, name);
    if (!found) return std::nullopt;
    return *found;
  }

 private:
  Decision by_rbac(const User& user, const Attributes& attributes) const {
    Decision out;
    const std::string_view ns =
        attributes.is_resource ? std::string_view(attributes.ns) : std::string_view();
    cache_.visit(user, ns,
                 [&](const Binding& binding, const PolicyRules* rules, const std::string& subject) {
                   if (!rules) {
                     if (out.reason.empty()) out.reason = missing_role(binding);
                     return true;
                   }
                   const bool allowed = std::any_of(
                       rules->begin(), rules->end(),
                       [&](const PolicyRule& rule) { return rule_allows(rule, attributes); });
                   if (allowed) out = {true, describe(binding, subject)};
                   return !allowed;
                 });
    return out;
  }
  static std::string missing_role(const Binding& binding) {
    const bool cluster = binding.role_kind == "ClusterRole";
    return fmt::format("RBAC: {}role.rbac.authorization.k8s.io \"{}\" not found",
                       cluster ? "cluster" : "", binding.role_name);
  }

  store::Store& store_;
  mutable RbacCache cache_;
};

}  // namespace

std::unique_ptr<RbacAuthorizer> make_authorizer(store::Store& store) {
  return std::make_unique<Chain>(store);
}

}  // namespace kinglet::apiserver
