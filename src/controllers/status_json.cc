#include "controllers/internal/status_json.h"

namespace kinglet::controllers {

json::Value list_or_null(json::Array list) { return list.empty() ? json::Value() : json::Value(std::move(list)); }

json::Value conditions_json(const Conditions& conditions) {
  json::Array list;
  for (const auto& c : conditions) {
    json::Object row = {{"type", c.type}, {"status", c.status}, {"lastTransitionTime", c.transition}};
    if (!c.updated.empty()) row["lastUpdateTime"] = c.updated;
    if (!c.reason.empty()) row["reason"] = c.reason;
    if (!c.message.empty()) row["message"] = c.message;
    list.push_back(std::move(row));
  }
  return list_or_null(std::move(list));
}

void put_condition(Conditions& conditions, Condition condition, WallTime now) {
  condition.transition = rfc3339(now);
  for (auto& before : conditions) {
    if (before.type != condition.type) continue;
    if (before.status == condition.status) condition.transition = before.transition;
    before = std::move(condition);
    return;
  }
  conditions.push_back(std::move(condition));
}

bool condition_true(const Conditions& conditions, std::string_view type) {
  const auto* found = client::find_condition(conditions, type);
  return found && found->status == "True";
}

int status_number(const json::Value& object, const char* name) {
  return static_cast<int>(json::int_at(object, {"status", name}));
}

schema::IntOrString int_or_string_at(const json::Value& object, std::initializer_list<std::string_view> path,
                                     const char* otherwise) {
  const auto* value = json::find(object, path);
  if (value && value->is_string()) return {0, std::string(value->get_string())};
  if (value && value->is_number()) return {static_cast<int32_t>(json::int_at(object, path)), std::nullopt};
  return {0, otherwise};
}

}  // namespace kinglet::controllers
