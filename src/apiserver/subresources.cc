#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "schema/causes.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

Written accepted() {
  return Written{.object = Bytes(json::print(success_status(201))), .created = true};
}

// "pods/binding" "web": the qualified name that conflicts of a subresource carry.
Error sub_conflict(const ResourceName& name, std::string_view detail) {
  Error error(Code::conflict, "Operation cannot be fulfilled on {}/{} \"{}\": {}",
              name.resource->qualified_, name.subresource, name.name, detail);
  auto& details = error.mutable_details();
  details.name = name.name;
  details.kind = fmt::format("{}/{}", name.resource->plural, name.subresource);
  return error;
}

// Sets or replaces the condition of that type.
void set_condition(json::Object& status, json::Object condition) {
  auto& list = status["conditions"];
  if (!list.is_array()) list.emplace_array();
  for (auto& row : list.get_array()) {
    if (json::text_at(row, {"type"}) != condition.at("type").as_string()) continue;
    row = std::move(condition);
    return;
  }
  list.get_array().push_back(std::move(condition));
}

Result<json::Value> bound(const json::Value& pod, const json::Value& binding,
                          const ResourceName& name, WallTime now) {
  const auto node = json::text_at(binding, {"target", "name"});
  if (json::find(pod, {"metadata", "deletionTimestamp"}))
    return sub_conflict(
        name, fmt::format("pod {} is being deleted, cannot be assigned to a host", name.name));
  const auto has = json::text_at(pod, {"spec", "nodeName"});
  if (!has.empty()) {
    return sub_conflict(name,
                        fmt::format("pod {} is already assigned to node \"{}\"", name.name, has));
  }
  const auto* gates = json::find(pod, {"spec", "schedulingGates"});
  if (gates && gates->is_array() && !gates->get_array().empty())
    return sub_conflict(name, fmt::format("pod {} has non-empty .spec.schedulingGates", name.name));
  json::Value out = pod;
  auto& members = out.get_object();
  json::child(members, "spec")["nodeName"] = node;
  if (const auto* annotations = json::find(binding, {"metadata", "annotations"});
      annotations && annotations->is_object())
    for (const auto& [key, value] : annotations->get_object())
      json::child(json::child(members, "metadata"), "annotations")[key] = value;
  set_condition(json::child(members, "status"), {{"type", "PodScheduled"},
                                                 {"status", "True"},
                                                 {"lastProbeTime", nullptr},
                                                 {"lastTransitionTime", rfc3339(now)}});
  json::child(members, "metadata").erase("resourceVersion");
  const auto expected = json::text_at(binding, {"metadata", "resourceVersion"});
  if (!expected.empty()) json::child(members, "metadata")["resourceVersion"] = expected;
  return out;
}

Result<void> check_target(const json::Value& binding) {
  schema::Causes causes;
  const schema::Path target("target");
  const auto kind = json::text_at(binding, {"target", "kind"});
  if (!kind.empty() && kind != "Node")
    schema::add_unsupported(causes, target.child("kind"), json::Value(kind), {"Node", "<empty>"});
  if (json::text_at(binding, {"target", "name"}).empty())
    schema::add_required(causes, target.child("name"));
  if (causes.empty()) return {};
  return schema::invalid_error("Binding", "", json::text_at(binding, {"metadata", "name"}),
                               std::move(causes));
}

bool pod_ready(const json::Value& pod) {
  const auto* conditions = json::find(pod, {"status", "conditions"});
  if (!conditions || !conditions->is_array()) return false;
  for (const auto& row : conditions->get_array())
    if (json::text_at(row, {"type"}) == "Ready") return json::text_at(row, {"status"}) == "True";
  return false;
}

bool selects(const json::Value& budget, const json::Value& pod) {
  const auto* selector = json::find(budget, {"spec", "selector"});
  if (!selector || !selector->is_object()) return false;
  const auto parsed = schema::Selector::from_object(*selector);
  if (!parsed) return false;
  std::string value;
  return parsed->matches_with([&](const std::string& key) -> const std::string* {
    const auto* label = json::find(pod, {"metadata", "labels", key});
    if (!label || !label->is_string()) return nullptr;
    value = label->get_string();
    return &value;
  });
}

Error budget_refuses(std::string why, int retry_after) {
  Error error(Code::too_many_requests,
              "Cannot evict pod as it would violate the pod's disruption budget.");
  auto& details = error.mutable_details();
  details.causes.push_back({"DisruptionBudget", std::move(why), ""});
  details.retry_after_seconds = retry_after;
  return error;
}

// The budget with one disruption less. Source: k8s.io/kubernetes registry/core/pod/storage
// eviction.
Result<json::Value> disrupted(const json::Value& budget, std::string_view pod, WallTime now) {
  const auto name = json::text_at(budget, {"metadata", "name"});
  if (json::int_at(budget, {"status", "observedGeneration"}) <
      json::int_at(budget, {"metadata", "generation"}))
    return budget_refuses(
        fmt::format("The disruption budget {} is still being processed by the server.", name), 10);
  const int64_t allowed = json::int_at(budget, {"status", "disruptionsAllowed"});
  if (allowed <= 0) {
    return budget_refuses(
        fmt::format("The disruption budget {} needs {} healthy pods and has {} currently", name,
                    json::int_at(budget, {"status", "desiredHealthy"}),
                    json::int_at(budget, {"status", "currentHealthy"})),
        0);
  }
  json::Value out = budget;
  auto& status = json::child(out.get_object(), "status");
  status["disruptionsAllowed"] = allowed - 1;
  json::child(status, "disruptedPods")[pod] = rfc3339(now);
  if (allowed == 1) {
    set_condition(status, {{"type", "DisruptionAllowed"},
                           {"status", "False"},
                           {"observedGeneration", json::int_at(budget, {"metadata", "generation"})},
                           {"lastTransitionTime", rfc3339(now)},
                           {"reason", "InsufficientPods"},
                           {"message", ""}});
  }
  json::child(out.get_object(), "metadata").erase("resourceVersion");
  return out;
}

// A pod that is not up, or is on its way out, takes nothing from its budget.
bool ignores_budget(const json::Value& pod) {
  const auto phase = json::text_at(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" ||
         json::find(pod, {"metadata", "deletionTimestamp"}) != nullptr;
}

// Pods that are not ready may go when the budget says so.
bool unhealthy_may_go(const json::Value& budget, const json::Value& pod) {
  if (pod_ready(pod) || json::text_at(pod, {"status", "phase"}) != "Running") return false;
  if (json::text_at(budget, {"spec", "unhealthyPodEvictionPolicy"}) == "AlwaysAllow") return true;
  const auto desired = json::int_at(budget, {"status", "desiredHealthy"});
  return desired > 0 && json::int_at(budget, {"status", "currentHealthy"}) >= desired;
}

}  // namespace

Task<Result<Written>> Core::create_sub(const User& user, ResourceName name, std::string body,
                                       CreateOptions options) {
  const bool pods = name.resource->group.empty() && name.resource->plural == "pods";
  if (name.resource->group.empty() && name.resource->plural == "bindings" &&
      name.subresource.empty())
    co_return co_await bind(user, std::move(name), std::move(body), std::move(options));
  if (pods && name.subresource == "binding")
    co_return co_await bind(user, std::move(name), std::move(body), std::move(options));
  if (pods && name.subresource == "eviction")
    co_return co_await evict(user, std::move(name), std::move(body), std::move(options));
  if (name.resource->subresource(name.subresource))
    co_return method_not_supported(*name.resource, "create");
  co_return Error(Code::not_found, "the server could not find the requested resource");
}

Task<Result<Written>> Core::bind(const User& user, ResourceName name, std::string body,
                                 CreateOptions options) {
  KL_TRY(binding, parse_kind(body, "v1", "Binding", "core.v1.Binding"));
  const std::string given(json::text_at(binding, {"metadata", "name"}));
  if (name.name.empty()) name.name = given;
  if (!given.empty() && given != name.name)
    co_return Error(Code::bad_request, "name in URL does not match name in Binding object");
  KL_CHECK(check_target(binding));
  name.resource = schema::find_resource("", "v1", "pods");
  name.subresource = "binding";
  const auto now = clock_.wall();
  const Change assign = [&](const json::Value& pod, std::vector<std::string>&) {
    return bound(pod, binding, name, now);
  };
  KL_CHECK(co_await change(user, name, assign, options.dry_run));
  co_return accepted();
}

Task<Result<void>> Core::take_disruption(const User& user, const ResourceName& pod_name,
                                         const json::Value& pod, bool dry_run) {
  const auto* budgets = schema::find_resource("policy", "v1", "poddisruptionbudgets");
  if (!budgets || ignores_budget(pod)) co_return Result<void>();
  std::vector<json::Value> matching;
  for (auto& budget : list(*budgets, pod_name.ns))
    if (selects(budget, pod)) matching.push_back(std::move(budget));
  if (matching.empty()) co_return Result<void>();
  if (matching.size() > 1) {
    co_return internal_error(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
        "support.");
  }
  if (unhealthy_may_go(matching[0], pod)) co_return Result<void>();
  const ResourceName budget{budgets, pod_name.ns,
                            std::string(json::text_at(matching[0], {"metadata", "name"})),
                            "status"};
  const auto now = clock_.wall();
  const Change decrement = [&](const json::Value& current, std::vector<std::string>&) {
    return disrupted(current, pod_name.name, now);
  };
  KL_CHECK(co_await change(user, budget, decrement, dry_run));
  co_return Result<void>();
}

Task<Result<Written>> Core::evict(const User& user, ResourceName name, std::string body,
                                  CreateOptions options) {
  KL_TRY(eviction, parse_kind(body, "policy/v1", "Eviction", "policy.v1.Eviction"));
  const auto given = json::text_at(eviction, {"metadata", "name"});
  if (!given.empty() && given != name.name)
    co_return Error(Code::bad_request, "name in URL does not match name in Eviction object");
  name.subresource.clear();
  KL_TRY(entry, read(name));
  KL_TRY(pod, parse_stored(entry->value.view()));
  DeleteOptions remove_options;
  remove_options.dry_run = options.dry_run;
  const auto* asked = json::find(eviction, {"deleteOptions"});
  if (asked && asked->is_object()) {
    KL_TRY(parsed, delete_options_of(*asked));
    remove_options = parsed;
    remove_options.dry_run = remove_options.dry_run || options.dry_run;
  }
  // The pod that the budget was asked about is the one that goes.
  if (remove_options.uid.empty()) remove_options.uid = json::text_at(pod, {"metadata", "uid"});
  KL_CHECK(co_await take_disruption(user, name, pod, remove_options.dry_run));
  KL_CHECK(co_await remove(user, std::move(name), remove_options));
  co_return accepted();
}

}  // namespace kinglet::apiserver
