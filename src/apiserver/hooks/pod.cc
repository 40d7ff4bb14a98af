// Pods: their status at birth, their class of service, and what of them may still change.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/pod_rules.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

// The sum of one resource over a list of quantities by name; nullopt when it is not there or zero.
std::optional<schema::Quantity> amount(const json::Value& list, std::string_view name) {
  const auto& value = at(list, name);
  if (!value.is_string()) return std::nullopt;
  const auto quantity = schema::Quantity::parse(value.get_string());
  if (!quantity || quantity->compare(schema::Quantity()) <= 0) return std::nullopt;
  return *quantity;
}

struct Totals {
  std::optional<schema::Quantity> requests[2], limits[2];  // cpu, memory
  bool all_limited = true;                                 // every container limits both
};

void add(std::optional<schema::Quantity>& total, const std::optional<schema::Quantity>& more) {
  if (more) total = total ? total->plus(*more) : *more;
}

constexpr std::string_view kCounted[2] = {"cpu", "memory"};

Totals totals_of(const json::Value& spec) {
  Totals totals;
  for (const std::string_view member : {"containers", "initContainers"}) {
    for (const auto& container : items(spec, member)) {
      const auto& resources = at(container, "resources");
      for (int i = 0; i < 2; ++i) {
        add(totals.requests[i], amount(at(resources, "requests"), kCounted[i]));
        const auto limit = amount(at(resources, "limits"), kCounted[i]);
        add(totals.limits[i], limit);
        if (!limit) totals.all_limited = false;
      }
    }
  }
  return totals;
}

bool same(const std::optional<schema::Quantity>& a, const std::optional<schema::Quantity>& b) {
  return a && b && a->compare(*b) == 0;
}

void set_first_status(json::Value& pod) {
  json::Object status;
  status["phase"] = "Pending";
  status["qosClass"] = qos_class(at(pod, "spec"));
  if (!items(at(pod, "spec"), "schedulingGates").empty()) {
    status["conditions"] = json::Array{
        json::Object{{"type", "PodScheduled"},
                     {"status", "False"},
                     {"reason", "SchedulingGated"},
                     {"message", "Scheduling is blocked due to non-empty scheduling gates"}}};
  }
  pod.get_object()["status"] = std::move(status);
}

class PodHooks final : public KindHooks {
 public:
  void prepare(const WriteContext&, json::Value& object, const json::Value* old) const override {
    if (!old) set_first_status(object);
  }

  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    // Status and binding go through their own overlays: the spec is the stored one but for the
    // node.
    if (!context.subresource.empty()) return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    validate_pod_spec(spec, path, PodPlace::pod, causes);
    if (!old) {
      if (!items(spec, "ephemeralContainers").empty())
        schema::add_forbidden(causes, path.child("ephemeralContainers"), "cannot be set on create");
      if (!items(spec, "schedulingGates").empty() && !text(spec, "nodeName").empty())
        schema::add_forbidden(causes, path.child("nodeName"),
                              "cannot be set until all schedulingGates have been cleared");
      return;
    }
    validate_pod_update(object, *old, causes);
  }
};

// --- updates -------------------------------------------------------------------------------------

void take_images(json::Object& spec, const json::Value& old_spec, std::string_view member) {
  auto* list = spec.if_contains(member);
  const auto& old_list = items(old_spec, member);
  if (!list || !list->is_array() || list->get_array().size() != old_list.size()) return;
  for (size_t i = 0; i < old_list.size(); ++i)
    if (list->get_array()[i].is_object() && given(at(old_list[i], "image")))
      list->get_array()[i].get_object()["image"] = at(old_list[i], "image");
}

void take(json::Object& spec, const json::Value& old_spec, std::string_view member) {
  const auto& value = at(old_spec, member);
  if (given(value)) {
    spec[member] = value;
  } else {
    spec.erase(member);
  }
}

bool only_adds(const json::Array& now, const json::Array& old) {
  return std::all_of(old.begin(), old.end(), [&](const json::Value& toleration) {
    return std::any_of(now.begin(), now.end(), [&](const json::Value& other) {
      // Only the seconds of an existing toleration may change.
      json::Value a = toleration, b = other;
      if (a.is_object()) a.get_object().erase("tolerationSeconds");
      if (b.is_object()) b.get_object().erase("tolerationSeconds");
      return equal(a, b);
    });
  });
}

bool only_removes_gates(const json::Array& now, const json::Array& old) {
  return std::all_of(now.begin(), now.end(), [&](const json::Value& gate) {
    return std::any_of(old.begin(), old.end(),
                       [&](const json::Value& o) { return equal(o, gate); });
  });
}

void check_deadline(const json::Value& now, const json::Value& old, Causes& causes) {
  const auto& value = at(now, "activeDeadlineSeconds");
  const auto& before = at(old, "activeDeadlineSeconds");
  if (!given(before)) return;
  const Path path("spec");
  const Path deadline = path.child("activeDeadlineSeconds");
  if (!given(value)) {
    schema::add_invalid(causes, deadline, json::Value(nullptr),
                        "must not update from a positive integer to nil value");
  } else if (value.is_int64() && before.is_int64() && value.get_int64() > before.get_int64()) {
    schema::add_invalid(causes, deadline, value, "must be less than or equal to previous value");
  }
}

}  // namespace

std::string qos_class(const json::Value& spec) {
  const Totals totals = totals_of(spec);
  bool any = false;
  for (int i = 0; i < 2; ++i) any |= totals.requests[i].has_value() || totals.limits[i].has_value();
  if (!any) return "BestEffort";
  bool guaranteed = totals.all_limited;
  for (int i = 0; i < 2; ++i)
    // A missing request is the limit (defaulting fills it in before this in pods).
    guaranteed = guaranteed && (!totals.requests[i] || same(totals.requests[i], totals.limits[i]));
  return guaranteed ? "Guaranteed" : "Burstable";
}

void validate_pod_update(const json::Value& now, const json::Value& old, Causes& causes) {
  const auto& spec = at(now, "spec");
  const auto& old_spec = at(old, "spec");
  const Path path("spec");
  for (const std::string_view member : {"containers", "initContainers"})
    if (items(spec, member).size() != items(old_spec, member).size())
      return schema::add_forbidden(causes, path.child(member),
                                   "pod updates may not add or remove containers");
  check_deadline(spec, old_spec, causes);
  if (!only_adds(items(spec, "tolerations"), items(old_spec, "tolerations")))
    schema::add_forbidden(causes, path.child("tolerations"),
                          "existing toleration can not be modified except its tolerationSeconds");
  const bool gated = !items(old_spec, "schedulingGates").empty();
  if (!only_removes_gates(items(spec, "schedulingGates"), items(old_spec, "schedulingGates")))
    schema::add_forbidden(causes, path.child("schedulingGates"),
                          "only deletion is allowed, but found new scheduling gates");

  json::Object masked = spec.is_object() ? spec.get_object() : json::Object();
  take_images(masked, old_spec, "containers");
  take_images(masked, old_spec, "initContainers");
  for (const std::string_view member : {"activeDeadlineSeconds", "tolerations", "schedulingGates"})
    take(masked, old_spec, member);
  if (number(old_spec, "terminationGracePeriodSeconds") < 0 &&
      number(spec, "terminationGracePeriodSeconds") == 1)
    take(masked, old_spec, "terminationGracePeriodSeconds");
  if (gated)
    for (const std::string_view member : {"nodeSelector", "affinity"})
      take(masked, old_spec, member);
  if (!equal(json::Value(masked), old_spec))
    schema::add_forbidden(
        causes, path,
        "pod updates may not change fields other than "
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
        "`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
        "negative)");
}

namespace {

// The template is checked as those of controllers are.
class PodTemplateHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    validate_template(at(object, "template"), Path("template"), causes);
  }
};

}  // namespace

void add_pod_hooks(Hooks& hooks) {
  hooks.emplace("/pods", std::make_unique<PodHooks>());
  hooks.emplace("/podtemplates", std::make_unique<PodTemplateHooks>());
}

}  // namespace kinglet::apiserver
