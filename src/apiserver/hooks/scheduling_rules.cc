// Where a pod may run: node selectors, affinity, tolerations, spreading; and as whom: security
// contexts.
#include <charconv>
#include <set>

#include "apiserver/hooks/pod_rules.h"
#include "schema/metadata_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

bool is_integer(const json::Value& value) {
  if (!value.is_string()) return false;
  const std::string_view digits = value.get_string();
  int64_t out = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return read.ec == std::errc() && read.ptr == digits.data() + digits.size();
}

void check_node_expression(const json::Value& expression, const Path& path, Causes& causes) {
  const auto op = text(expression, "operator");
  const auto& values = items(expression, "values");
  if (op == "In" || op == "NotIn") {
    if (values.empty())
      schema::add_required(causes, path.child("values"),
                           "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!values.empty())
      schema::add_forbidden(causes, path.child("values"),
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (op == "Gt" || op == "Lt") {
    if (values.size() != 1)
      schema::add_required(causes, path.child("values"),
                           "must be specified single value when `operator` is 'Lt' or 'Gt'");
    else if (!is_integer(values[0]))
      schema::add_invalid(causes, path.child("values"), values[0],
                          "for 'Gt', 'Lt' operators, the value must be an integer");
  } else {
    schema::add_invalid(causes, path.child("operator"), json::Value(op),
                        "not a valid selector operator");
  }
  const auto key = text(expression, "key");
  schema::add_invalid_each(causes, path.child("key"), json::Value(key),
                           schema::label_key_errors(key));
}

void check_node_term(const json::Value& term, const Path& path, Causes& causes) {
  for (const std::string_view member : {"matchExpressions", "matchFields"}) {
    const auto& expressions = items(term, member);
    const Path list = path.child(member);
    for (size_t i = 0; i < expressions.size(); ++i)
      check_node_expression(expressions[i], list.index(i), causes);
  }
}

void check_weight(const json::Value& term, const Path& path, Causes& causes) {
  const auto weight = number(term, "weight");
  if (weight < 1 || weight > 100)
    schema::add_invalid(causes, path.child("weight"), json::Value(weight),
                        "must be in the range 1-100");
}

void check_node_affinity(const json::Value& affinity, const Path& path, Causes& causes) {
  const auto& required = at(affinity, "requiredDuringSchedulingIgnoredDuringExecution");
  if (given(required)) {
    const Path at_required = path.child("requiredDuringSchedulingIgnoredDuringExecution");
    const auto& terms = items(required, "nodeSelectorTerms");
    const Path list = at_required.child("nodeSelectorTerms");
    if (terms.empty())
      schema::add_required(causes, list, "must have at least one node selector term");
    for (size_t i = 0; i < terms.size(); ++i) check_node_term(terms[i], list.index(i), causes);
  }
  const auto& preferred = items(affinity, "preferredDuringSchedulingIgnoredDuringExecution");
  const Path list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
  for (size_t i = 0; i < preferred.size(); ++i) {
    const Path item = list.index(i);
    check_weight(preferred[i], item, causes);
    check_node_term(at(preferred[i], "preference"), item.child("preference"), causes);
  }
}

void check_pod_term(const json::Value& term, const Path& path, Causes& causes) {
  check_selector(causes, path.child("labelSelector"), at(term, "labelSelector"));
  check_selector(causes, path.child("namespaceSelector"), at(term, "namespaceSelector"));
  if (text(term, "topologyKey").empty()) {
    schema::add_required(causes, path.child("topologyKey"), "can not be empty");
  } else {
    check_name(causes, path.child("topologyKey"), at(term, "topologyKey"),
               schema::label_key_errors);
  }
}

void check_pod_affinity(const json::Value& affinity, const Path& path, Causes& causes) {
  const auto& required = items(affinity, "requiredDuringSchedulingIgnoredDuringExecution");
  const Path required_list = path.child("requiredDuringSchedulingIgnoredDuringExecution");
  for (size_t i = 0; i < required.size(); ++i)
    check_pod_term(required[i], required_list.index(i), causes);
  const auto& preferred = items(affinity, "preferredDuringSchedulingIgnoredDuringExecution");
  const Path list = path.child("preferredDuringSchedulingIgnoredDuringExecution");
  for (size_t i = 0; i < preferred.size(); ++i) {
    const Path item = list.index(i);
    check_weight(preferred[i], item, causes);
    check_pod_term(at(preferred[i], "podAffinityTerm"), item.child("podAffinityTerm"), causes);
  }
}

void check_toleration(const json::Value& toleration, const Path& path, Causes& causes) {
  const auto op = text(toleration, "operator");
  if (const auto& key = at(toleration, "key"); !is_empty(key)) {
    check_name(causes, path.child("key"), key, schema::label_key_errors);
  } else if (op != "Exists") {
    schema::add_invalid(causes, path.child("operator"), json::Value(op),
                        "operator must be Exists when `key` is empty, which means \"match all "
                        "values and all keys\"");
  }
  if (given(at(toleration, "tolerationSeconds")) && text(toleration, "effect") != "NoExecute")
    schema::add_invalid(causes, path.child("effect"), json::Value(text(toleration, "effect")),
                        "effect must be 'NoExecute' when `tolerationSeconds` is set");
  if (op == "Exists") {
    if (!is_empty(at(toleration, "value")))
      schema::add_invalid(causes, path.child("operator"), toleration,
                          "value must be empty when `operator` is 'Exists'");
  } else if (op.empty() || op == "Equal") {
    const auto value = text(toleration, "value");
    schema::add_invalid_each(causes, path.child("operator"), json::Value(value),
                             schema::label_value_errors(value));
  }
}

void check_spreading(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& constraints = items(spec, "topologySpreadConstraints");
  const Path list = path.child("topologySpreadConstraints");
  std::set<std::pair<std::string, std::string>> seen;
  for (size_t i = 0; i < constraints.size(); ++i) {
    const auto& constraint = constraints[i];
    const Path item = list.index(i);
    if (number(constraint, "maxSkew") <= 0)
      schema::add_invalid(causes, item.child("maxSkew"), json::Value(number(constraint, "maxSkew")),
                          "must be greater than zero");
    if (text(constraint, "topologyKey").empty()) {
      schema::add_required(causes, item.child("topologyKey"), "can not be empty");
    } else {
      check_name(causes, item.child("topologyKey"), at(constraint, "topologyKey"),
                 schema::label_key_errors);
    }
    check_one_of(causes, item.child("whenUnsatisfiable"), at(constraint, "whenUnsatisfiable"),
                 {"DoNotSchedule", "ScheduleAnyway"});
    const auto& domains = at(constraint, "minDomains");
    if (given(domains) && domains.is_int64() && domains.get_int64() <= 0)
      schema::add_invalid(causes, item.child("minDomains"), domains, "must be greater than zero");
    if (given(domains) && text(constraint, "whenUnsatisfiable") != "DoNotSchedule")
      schema::add_invalid(causes, item.child("minDomains"), domains,
                          fmt::format("can only use minDomains if whenUnsatisfiable=DoNotSchedule, "
                                      "not {}",
                                      text(constraint, "whenUnsatisfiable")));
    if (!seen.emplace(text(constraint, "topologyKey"), text(constraint, "whenUnsatisfiable"))
             .second)
      schema::add_duplicate(causes, item.child("{topologyKey, whenUnsatisfiable}"),
                            json::Value(fmt::format("{{{}, {}}}", text(constraint, "topologyKey"),
                                                    text(constraint, "whenUnsatisfiable"))));
    check_selector(causes, item.child("labelSelector"), at(constraint, "labelSelector"));
  }
}

void check_ids(const json::Value& context, const Path& path, Causes& causes) {
  constexpr int64_t kIdMax = 2147483647;
  for (const std::string_view member : {"runAsUser", "runAsGroup", "fsGroup"})
    check_range(causes, path.child(member), at(context, member), 0, kIdMax);
  const auto& groups = items(context, "supplementalGroups");
  const Path list = path.child("supplementalGroups");
  for (size_t i = 0; i < groups.size(); ++i)
    check_range(causes, list.index(i), groups[i], 0, kIdMax);
}

void check_profiles(const json::Value& context, const Path& path, Causes& causes) {
  for (const std::string_view member : {"seccompProfile", "appArmorProfile"}) {
    const auto& profile = at(context, member);
    if (!given(profile)) continue;
    const Path at_profile = path.child(member);
    const bool local = text(profile, "type") == "Localhost";
    const auto& name = at(profile, "localhostProfile");
    if (local && is_empty(name))
      schema::add_required(causes, at_profile.child("localhostProfile"),
                           member == "seccompProfile"
                               ? "must be set when seccomp type is Localhost"
                               : "must be set when AppArmor type is Localhost");
    if (!local && given(name))
      schema::add_invalid(causes, at_profile.child("localhostProfile"), name,
                          member == "seccompProfile"
                              ? "can only be set when seccomp type is Localhost"
                              : "can only be set when AppArmor type is Localhost");
  }
}

void check_container_security(const json::Value& container, const Path& path, Causes& causes) {
  const auto& context = at(container, "securityContext");
  if (!given(context)) return;
  const Path at_context = path.child("securityContext");
  check_ids(context, at_context, causes);
  check_profiles(context, at_context, causes);
  const auto& escalation = at(context, "allowPrivilegeEscalation");
  if (!escalation.is_bool() || escalation.get_bool()) return;
  if (json::bool_at(context, {"privileged"}))
    schema::add_invalid(causes, at_context, context,
                        "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  for (const auto& capability : items(at(context, "capabilities"), "add"))
    if (capability == "CAP_SYS_ADMIN")
      schema::add_invalid(causes, at_context, context,
                          "cannot set `allowPrivilegeEscalation` to false and "
                          "`capabilities.Add` CAP_SYS_ADMIN");
}

}  // namespace

void validate_scheduling(const json::Value& spec, const Path& path, Causes& causes) {
  schema::check_labels(at(spec, "nodeSelector"), path.child("nodeSelector"), causes);
  const auto& affinity = at(spec, "affinity");
  const Path at_affinity = path.child("affinity");
  check_node_affinity(at(affinity, "nodeAffinity"), at_affinity.child("nodeAffinity"), causes);
  check_pod_affinity(at(affinity, "podAffinity"), at_affinity.child("podAffinity"), causes);
  check_pod_affinity(at(affinity, "podAntiAffinity"), at_affinity.child("podAntiAffinity"), causes);
  const auto& tolerations = items(spec, "tolerations");
  const Path list = path.child("tolerations");
  for (size_t i = 0; i < tolerations.size(); ++i)
    check_toleration(tolerations[i], list.index(i), causes);
  check_spreading(spec, path, causes);
}

void validate_security(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& context = at(spec, "securityContext");
  const Path at_context = path.child("securityContext");
  check_ids(context, at_context, causes);
  check_profiles(context, at_context, causes);
  check_unique(causes, at_context.child("sysctls"), items(context, "sysctls"), "name");
  if (json::bool_at(spec, {"shareProcessNamespace"}) && json::bool_at(spec, {"hostPID"}))
    schema::add_invalid(causes, path.child("shareProcessNamespace"), json::Value(true),
                        "ShareProcessNamespace and HostPID cannot both be enabled");
  for (const std::string_view member : {"containers", "initContainers"}) {
    const auto& containers = items(spec, member);
    const Path list = path.child(member);
    for (size_t i = 0; i < containers.size(); ++i)
      check_container_security(containers[i], list.index(i), causes);
  }
}

}  // namespace kinglet::apiserver
