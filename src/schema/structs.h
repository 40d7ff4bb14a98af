// JSON <-> the generated structs (`#include "api/core.h"` and so on).
//
// Reading is lenient: unknown members are skipped and null is unset, since objects come from the
// API server, which has checked them. `metadata.managedFields` is not part of the structs: a write
// without it leaves it as it is.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"
#include "schema/struct_info.h"

namespace kinglet::schema {

Result<void> read_struct(const StructInfo& info, const json::Value& value, void* out);
json::Value write_struct(const StructInfo& info, const void* in);
std::string print_struct(const StructInfo& info, const void* in);

// Errors: bad_request, a member has the wrong type.
template <class T>
Result<T> from_json(const json::Value& value) {
  T out;
  auto read = read_struct(struct_info<T>(), value, &out);
  if (!read) return std::move(read.error());
  return out;
}

template <class T>
Result<T> parse(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return std::move(value.error());
  return from_json<T>(*value);
}
template <class T>
Result<T> parse(const Bytes& bytes) {
  return parse<T>(bytes.view());
}

// Without what is unset; with kind and apiVersion for a top-level kind.
template <class T>
json::Value to_json(const T& object) {
  return write_struct(struct_info<T>(), &object);
}
// The canonical text, as codec.h's encode gives it.
template <class T>
std::string to_text(const T& object) {
  return print_struct(struct_info<T>(), &object);
}

// Of a top-level kind.
template <class T>
const Resource& resource_of() {
  return *struct_info<T>().resource;
}

}  // namespace kinglet::schema
