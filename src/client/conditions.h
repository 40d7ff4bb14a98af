// Conditions, as nearly every status has them, and small steps through JSON that the views share.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "json/json.h"

namespace kinglet::client {

struct Condition {
  std::string type, status, reason, message;
  std::string transition;  // lastTransitionTime, RFC 3339
  std::string updated;     // lastUpdateTime (deployments) or lastHeartbeatTime (nodes); may be empty
  bool operator==(const Condition&) const = default;
};
using Conditions = std::vector<Condition>;

const Condition* find_condition(const Conditions& conditions, std::string_view type);
Conditions conditions_at(const json::Value& object, std::initializer_list<std::string_view> path);

// The array at a path; an empty one when it is missing or something else.
const json::Array& array_at(const json::Value& root, std::initializer_list<std::string_view> path);
std::string string_at(const json::Value& root, std::initializer_list<std::string_view> path);

}  // namespace kinglet::client
