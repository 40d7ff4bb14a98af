#include "client/conditions.h"

namespace kinglet::client {

const Condition* find_condition(const Conditions& conditions, std::string_view type) {
  for (const auto& condition : conditions)
    if (condition.type == type) return &condition;
  return nullptr;
}

Conditions conditions_at(const json::Value& object, std::initializer_list<std::string_view> path) {
  Conditions conditions;
  for (const auto& item : array_at(object, path)) {
    auto updated = string_at(item, {"lastUpdateTime"});
    if (updated.empty()) updated = string_at(item, {"lastHeartbeatTime"});
    conditions.push_back({string_at(item, {"type"}), string_at(item, {"status"}),
                          string_at(item, {"reason"}), string_at(item, {"message"}),
                          string_at(item, {"lastTransitionTime"}), std::move(updated)});
  }
  return conditions;
}

const json::Array& array_at(const json::Value& root, std::initializer_list<std::string_view> path) {
  static const json::Array kNone;
  const auto* found = json::find(root, path);
  return found && found->is_array() ? found->get_array() : kNone;
}

std::string string_at(const json::Value& root, std::initializer_list<std::string_view> path) {
  return std::string(json::text_at(root, path));
}

}  // namespace kinglet::client
