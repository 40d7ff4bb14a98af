// What fills in an object besides the defaults that api/*.schema declares: constants, and code for
// the rest.
#pragma once
#include <span>
#include <string_view>

#include "json/json.h"

namespace kinglet::schema {

// A constant for one field: given when a pointer is absent, or a value is zero.
struct ConstantDefault {
  std::string_view type, field, json;
};

// Called with every object of the type, outer objects first, after the constants of the type.
struct Defaulter {
  std::string_view type;
  void (*apply)(json::Object& object);
};

std::span<const ConstantDefault> constant_defaults();
std::span<const Defaulter> pod_defaulters();
std::span<const Defaulter> core_defaulters();
std::span<const Defaulter> workload_defaulters();
std::span<const Defaulter> policy_defaulters();  // networking, rbac, CRDs

// Absent or null.
bool unset(const json::Object& object, std::string_view name);
// Unset, or "", 0, false, [] or {}.
bool empty(const json::Object& object, std::string_view name);
void set_if_unset(json::Object& object, std::string_view name, json::Value value);
void set_if_empty(json::Object& object, std::string_view name, json::Value value);
// The member if it is an object; null otherwise.
json::Object* object_at(json::Object& object, std::string_view name);
// Calls `each` with every object in a list member.
template <class Each>
void for_each_object(json::Object& object, std::string_view name, Each each) {
  json::Value* list = object.if_contains(name);
  if (list == nullptr || !list->is_array()) return;
  for (json::Value& item : list->get_array())
    if (item.is_object()) each(item.get_object());
}
// The text of a string member, "" when there is none.
std::string_view string_at(const json::Object& object, std::string_view name);

}  // namespace kinglet::schema
