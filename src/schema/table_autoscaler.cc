// The cells of a HorizontalPodAutoscaler, of both versions.
#include "schema/internal/table_row.h"

namespace kinglet::schema {
namespace {

constexpr size_t kListedTargetsMax = 2;

// "80%", "1500m", or with " (avg)" for an average over pods of something that is not theirs.
std::string value_text(const json::Value& value, bool mark_average) {
  if (const auto* percent = json::find(value, {"averageUtilization"});
      percent && !percent->is_null())
    return member_text(*percent) + "%";
  const auto average = json::text_at(value, {"averageValue"});
  if (!average.empty()) return std::string(average) + (mark_average ? " (avg)" : "");
  return std::string(json::text_at(value, {"value"}));
}

std::string_view member_of(std::string_view type) {
  if (type == "Resource") return "resource";
  if (type == "ContainerResource") return "containerResource";
  if (type == "Pods") return "pods";
  if (type == "Object") return "object";
  return "external";
}

std::string metric_text(const json::Value& metric, const json::Value* current) {
  const auto type = json::text_at(metric, {"type"});
  const auto member = member_of(type);
  const bool foreign = type == "Object" || type == "External";
  const bool resource = type == "Resource" || type == "ContainerResource";
  const auto* target = json::find(metric, {member, "target"});
  std::string wanted = target ? value_text(*target, foreign) : std::string();
  if (wanted.empty()) wanted = "<auto>";
  const auto* now = current ? json::find(*current, {member, "current"}) : nullptr;
  std::string have;
  // The status carries both forms; the one that the target asks for counts.
  if (now && target && json::find(*target, {"averageUtilization"})) {
    const auto* percent = json::find(*now, {"averageUtilization"});
    if (percent && !percent->is_null()) have = member_text(*percent) + "%";
  } else if (now) {
    const auto average = json::text_at(*now, {"averageValue"});
    have = average.empty() || average == "0" ? std::string(json::text_at(*now, {"value"}))
                                             : std::string(average);
    if (have.empty()) have = average;
  }
  if (have.empty()) have = kUnknown;
  const auto text = fmt::format("{}/{}", have, wanted);
  return resource ? fmt::format("{}: {}", json::text_at(metric, {member, "name"}), text) : text;
}

std::string targets_v1(const json::Value& object) {
  const auto* wanted = json::find(object, {"spec", "targetCPUUtilizationPercentage"});
  if (!wanted || wanted->is_null()) return std::string(kNone);
  const auto* have = json::find(object, {"status", "currentCPUUtilizationPercentage"});
  const std::string current =
      have && !have->is_null() ? member_text(*have) + "%" : std::string(kUnknown);
  return fmt::format("cpu: {}/{}%", current, member_text(*wanted));
}

std::string targets(const json::Value& object) {
  const auto& metrics = array_at(object, {"spec", "metrics"});
  if (metrics.empty()) return targets_v1(object);
  const auto& current = array_at(object, {"status", "currentMetrics"});
  std::vector<std::string> parts;
  for (size_t i = 0; i < metrics.size(); ++i)
    parts.push_back(metric_text(metrics[i], i < current.size() ? &current[i] : nullptr));
  return join_some(parts, ", ", kListedTargetsMax);
}

}  // namespace

void autoscaler_cells(TableRow& row) {
  const auto& object = row.object();
  row.add(
      json::Value(fmt::format("{}/{}", json::text_at(object, {"spec", "scaleTargetRef", "kind"}),
                              json::text_at(object, {"spec", "scaleTargetRef", "name"}))));
  row.add(json::Value(targets(object)));
  row.integer_text({"spec", "minReplicas"}, kUnset);
  row.integer_text({"spec", "maxReplicas"});
  row.integer_text({"status", "currentReplicas"});
  row.age();
}

}  // namespace kinglet::schema
