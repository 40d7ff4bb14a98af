#include "apiserver/internal/core.h"
#include "apiserver/internal/metadata.h"

namespace kinglet::apiserver {
namespace {

using Renames = std::pair<std::string_view, std::string_view>[];
// core/v1 Event and events.k8s.io/v1 Event say the same with other words.
constexpr Renames kEventRenames = {
    {"involvedObject", "regarding"},
    {"message", "note"},
    {"reportingComponent", "reportingController"},
    {"source", "deprecatedSource"},
    {"firstTimestamp", "deprecatedFirstTimestamp"},
    {"lastTimestamp", "deprecatedLastTimestamp"},
    {"count", "deprecatedCount"},
};
// What autoscaling/v1 has no fields for travels in these annotations, as upstream.
constexpr std::string_view kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
constexpr std::string_view kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditions = "autoscaling.alpha.kubernetes.io/conditions";

void rename(json::Object& object, std::string_view from, std::string_view to) {
  auto* value = object.if_contains(from);
  if (!value) return;
  json::Value moved = std::move(*value);
  object.erase(from);
  object[to] = std::move(moved);
}

void convert_event(json::Object& event, bool to_core) {
  for (const auto& [core, events] : kEventRenames) {
    if (to_core) {
      rename(event, events, core);
    } else {
      rename(event, core, events);
    }
  }
}

bool is_cpu_utilization(const json::Value& metric, std::string_view part) {
  return json::text_at(metric, {"type"}) == "Resource" &&
         json::text_at(metric, {"resource", "name"}) == "cpu" &&
         json::find(metric, {"resource", part, "averageUtilization"}) != nullptr;
}

// Takes the CPU metric out of `list`; the others go to the annotation.
void split_metrics(json::Object& part, std::string_view list, std::string_view side,
                   std::string_view percentage, json::Object& annotations,
                   std::string_view annotation) {
  auto* metrics = part.if_contains(list);
  if (!metrics || !metrics->is_array()) return;
  json::Array others;
  bool found = false;
  for (const auto& metric : metrics->get_array()) {
    if (!found && is_cpu_utilization(metric, side)) {
      found = true;
      part[percentage] = *json::find(metric, {"resource", side, "averageUtilization"});
      metrics = part.if_contains(list);  // the insertion may have moved it
      break;
    }
  }
  bool skipped = false;
  for (const auto& metric : metrics->get_array()) {
    if (!skipped && is_cpu_utilization(metric, side)) {
      skipped = true;
      continue;
    }
    others.push_back(metric);
  }
  if (!others.empty()) annotations[annotation] = json::print(others);
  part.erase(list);
}

void to_annotation(json::Object& part, std::string_view member, json::Object& annotations,
                   std::string_view name) {
  auto* value = part.if_contains(member);
  if (!value) return;
  if (!value->is_null()) annotations[name] = json::print(*value);
  part.erase(member);
}

void autoscaler_to_v1(json::Object& object) {
  json::Value whole(std::move(object));
  auto& annotations = json::child(metadata_of(whole), "annotations");
  auto& spec = json::child(whole.get_object(), "spec");
  split_metrics(spec, "metrics", "target", "targetCPUUtilizationPercentage", annotations, kMetrics);
  to_annotation(spec, "behavior", annotations, kBehavior);
  auto& status = json::child(whole.get_object(), "status");
  split_metrics(status, "currentMetrics", "current", "currentCPUUtilizationPercentage", annotations,
                kCurrentMetrics);
  to_annotation(status, "conditions", annotations, kConditions);
  if (annotations.empty()) metadata_of(whole).erase("annotations");
  object = std::move(whole.get_object());
}

json::Value cpu_metric(std::string_view side, const json::Value& percentage) {
  json::Object value = {{"averageUtilization", percentage}};
  if (side == "target") value["type"] = "Utilization";
  return json::Object{{"type", "Resource"},
                      {"resource", json::Object{{"name", "cpu"}, {side, std::move(value)}}}};
}

// A member from an annotation; text that is no JSON is left where it is.
void from_annotation(json::Object& annotations, std::string_view name, json::Object& part,
                     std::string_view member) {
  auto* text = annotations.if_contains(name);
  if (!text || !text->is_string()) return;
  auto value = json::parse(text->get_string());
  if (!value) return;
  part[member] = std::move(*value);
  annotations.erase(name);
}

void join_metrics(json::Object& part, std::string_view percentage, std::string_view list,
                  std::string_view side) {
  auto* value = part.if_contains(percentage);
  if (!value) return;
  json::Array metrics;
  if (!value->is_null()) metrics.push_back(cpu_metric(side, *value));
  if (auto* others = part.if_contains(list); others && others->is_array())
    for (auto& metric : others->get_array()) metrics.push_back(metric);
  part.erase(percentage);
  part[list] = std::move(metrics);
}

void autoscaler_to_v2(json::Object& object) {
  json::Value whole(std::move(object));
  auto& annotations = json::child(metadata_of(whole), "annotations");
  auto& spec = json::child(whole.get_object(), "spec");
  from_annotation(annotations, kMetrics, spec, "metrics");
  from_annotation(annotations, kBehavior, spec, "behavior");
  join_metrics(spec, "targetCPUUtilizationPercentage", "metrics", "target");
  auto& status = json::child(whole.get_object(), "status");
  from_annotation(annotations, kCurrentMetrics, status, "currentMetrics");
  from_annotation(annotations, kConditions, status, "conditions");
  join_metrics(status, "currentCPUUtilizationPercentage", "currentMetrics", "current");
  if (annotations.empty()) metadata_of(whole).erase("annotations");
  object = std::move(whole.get_object());
}

}  // namespace

json::Value convert(json::Value object, const schema::Resource& from, const schema::Resource& to) {
  if (&from == &to || !object.is_object()) return object;
  auto& members = object.get_object();
  if (to.plural == "events") {
    convert_event(members, to.group.empty());
  } else if (to.plural == "horizontalpodautoscalers") {
    to.version == "v1" ? autoscaler_to_v1(members) : autoscaler_to_v2(members);
  }
  members["kind"] = to.kind;
  members["apiVersion"] = to.group_version();
  return object;
}

}  // namespace kinglet::apiserver
