#include "json/json.h"

namespace kinglet::json {

const Value* find(const Value& root, std::initializer_list<std::string_view> path) {
  const Value* at = &root;
  for (const std::string_view name : path) {
    const Object* object = at->if_object();
    if (object == nullptr) return nullptr;
    at = object->if_contains(name);
    if (at == nullptr) return nullptr;
  }
  return at;
}

std::string_view text_at(const Value& root, std::initializer_list<std::string_view> path) {
  const Value* value = find(root, path);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

int64_t int_at(const Value& root, std::initializer_list<std::string_view> path, int64_t otherwise) {
  const Value* value = find(root, path);
  return value != nullptr && value->is_int64() ? value->get_int64() : otherwise;
}

bool bool_at(const Value& root, std::initializer_list<std::string_view> path, bool otherwise) {
  const Value* value = find(root, path);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

Object& child(Object& parent, std::string_view name) {
  Value& value = parent[name];
  if (value.is_null()) value.emplace_object();
  KL_ASSERT(value.is_object(), "member {} is no object", name);
  return value.get_object();
}

}  // namespace kinglet::json
