#include "apiserver/auth/authorizer.h"
#include "apiserver/errors.h"
#include "base/task.h"
#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

PolicyRules full_authority() { return {{{"*"}, {"*"}, {"*"}, {}, {}}, {{"*"}, {}, {}, {}, {"*"}}}; }

// What the garbage collector changes grants nothing to anybody.
json::Value without_collector_fields(json::Value object) {
  if (!object.is_object()) return object;
  auto& metadata = json::child(object.get_object(), "metadata");
  for (const auto* field :
       {"ownerReferences", "finalizers", "managedFields", "resourceVersion", "generation"})
    metadata.erase(field);
  return object;
}

class EscalationCheck final : public AdmissionPlugin {
 public:
  explicit EscalationCheck(const RbacAuthorizer& authorizer) : authorizer_(authorizer) {}
  const char* name() const override { return "RBACEscalation"; }

  Task<Result<void>> validate(const WriteContext& context, const json::Value* object,
                              const json::Value* old) override {
    co_return check(context, object, old);
  }

 private:
  Result<void> check(const WriteContext& context, const json::Value* object,
                     const json::Value* old) const {
    if (!object || context.operation == Operation::remove || context.resource.group != kGroup)
      return {};
    if (!context.subresource.empty() || context.user.in_group("system:masters")) return {};
    if (old && without_collector_fields(*old) == without_collector_fields(*object)) return {};
    const auto plural = context.resource.plural;
    if (plural == "roles" || plural == "clusterroles") return check_role(context, *object);
    if (plural == "rolebindings" || plural == "clusterrolebindings")
      return check_binding(context, *object);
    return {};
  }

  Result<void> check_role(const WriteContext& context, const json::Value& object) const {
    if (has_verb(context, "escalate", context.resource.plural, context.name)) return {};
    auto wanted = parse_rules(json::find(object, {"rules"}));
    // Which roles an aggregating role will collect is open: only somebody who has everything may
    // open it.
    const auto* aggregation = json::find(object, {"aggregationRule"});
    if (aggregation && !aggregation->is_null()) wanted = full_authority();
    return must_hold(context, wanted);
  }

  Result<void> check_binding(const WriteContext& context, const json::Value& object) const {
    const auto kind = json::text_at(object, {"roleRef", "kind"});
    const std::string role(json::text_at(object, {"roleRef", "name"}));
    const char* plural = kind == "Role" ? "roles" : "clusterroles";
    if (has_verb(context, "bind", plural, role)) return {};
    const auto rules = authorizer_.role_rules(kind == "Role" ? context.ns : std::string(), role);
    if (!rules) {
      const auto* resource = schema::find_resource(kGroup, "v1", plural);
      return not_found_error(resource ? *resource : context.resource, role);
    }
    return must_hold(context, *rules);
  }

  bool has_verb(const WriteContext& context, std::string verb, std::string_view plural,
                const std::string& name) const {
    Attributes a;
    a.verb = std::move(verb);
    a.group = kGroup;
    a.version = "v1";
    a.resource = plural;
    a.ns = context.ns;
    a.name = name;
    return authorizer_.authorize(context.user, a).allowed;
  }

  Result<void> must_hold(const WriteContext& context, const PolicyRules& wanted) const {
    const auto missing = missing_rules(authorizer_.held_rules(context.user, context.ns), wanted);
    if (missing.empty()) return {};
    std::string groups, rules;
    for (const auto& group : context.user.groups) {
      if (!groups.empty()) groups += ' ';
      json::print_string(groups, group);
    }
    for (const auto& rule : compact_rules(missing)) rules += "\n" + describe_rule(rule);
    return forbidden_error(
        context.resource, context.name,
        fmt::format("user \"{}\" (groups=[{}]) is attempting to grant RBAC permissions not "
                    "currently held:{}",
                    context.user.name, groups, rules));
  }

  const RbacAuthorizer& authorizer_;
};

}  // namespace

std::unique_ptr<AdmissionPlugin> make_escalation_check(const RbacAuthorizer& authorizer) {
  return std::make_unique<EscalationCheck>(authorizer);
}

}  // namespace kinglet::apiserver
