// Small pieces that the controllers' status patches share.
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

// Zeros are absent in the canonical form; null removes them in a merge patch.
inline json::Value number_or_null(int64_t n) { return n == 0 ? json::Value() : json::Value(n); }
inline json::Value text_or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }
// A list or map, or null when it is empty.
json::Value list_or_null(json::Array list);
json::Value conditions_json(const Conditions& conditions);

// Replaces or adds the condition of that type. One with the same status keeps its transition time.
void put_condition(Conditions& conditions, Condition condition, WallTime now);
bool condition_true(const Conditions& conditions, std::string_view type);

int status_number(const json::Value& object, const char* name);
schema::IntOrString int_or_string_at(const json::Value& object, std::initializer_list<std::string_view> path,
                                     const char* otherwise);

}  // namespace kinglet::controllers
