// One walker for all generated structs. The struct's tables say at which offset which
// representation lies: see cpp_type in api/emit_structs.py, whose choices the functions below
// mirror.
#include "schema/structs.h"

#include "base/clock.h"
#include "schema/codec.h"
#include "schema/internal/base64.h"
#include "schema/values.h"

namespace kinglet::schema {
namespace {

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

template <class T>
T& as(void* at) {
  return *static_cast<T*>(at);
}
template <class T>
const T& as(const void* at) {
  return *static_cast<const T*>(at);
}

Error wrong_type(const Field& field, std::string_view wanted) {
  return Error(Code::bad_request, "{}: not a {}", field.name, wanted);
}

// --- reading
// --------------------------------------------------------------------------------------------------

Result<void> read_scalar(const Field& field, const json::Value& value, std::string& out) {
  const auto* text = value.if_string();
  if (text == nullptr) return wrong_type(field, "string");
  if (field.kind != Kind::bytes) {
    out.assign(text->data(), text->size());
    return {};
  }
  auto bytes = decode_base64(view(*text));
  if (!bytes) return wrong_type(field, "base64 text");
  out = *std::move(bytes);
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value, bool& out) {
  if (!value.is_bool()) return wrong_type(field, "boolean");
  out = value.get_bool();
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value, int64_t& out) {
  if (!value.is_int64()) return wrong_type(field, "64-bit integer");
  out = value.get_int64();
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value, int32_t& out) {
  if (!value.is_int64() || value.get_int64() != static_cast<int32_t>(value.get_int64()))
    return wrong_type(field, "32-bit integer");
  out = static_cast<int32_t>(value.get_int64());
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value, Quantity& out) {
  if (!value.is_string()) return wrong_type(field, "quantity");
  KL_TRY_FN(quantity, Quantity::parse(view(value.get_string())), "{}", field.name);
  out = std::move(quantity);
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value, IntOrString& out) {
  if (value.is_string()) {
    out.text = std::string(view(value.get_string()));
    return {};
  }
  return read_scalar(field, value, out.number);
}
Result<void> read_scalar(const Field& field, const json::Value& value,
                         std::optional<WallTime>& out) {
  if (!value.is_string()) return wrong_type(field, "time");
  KL_TRY_FN(time, parse_rfc3339(std::string(view(value.get_string()))), "{}", field.name);
  out = time;
  return {};
}
Result<void> read_scalar(const Field&, const json::Value& value, json::Value& out) {
  out = value;
  return {};
}
Result<void> read_scalar(const Field& field, const json::Value& value,
                         std::vector<std::string>& out) {
  const json::Array* items = value.if_array();
  if (items == nullptr) return wrong_type(field, "list");
  for (const json::Value& item : *items) KL_CHECK_FN(read_scalar(field, item, out.emplace_back()));
  return {};
}

// As a member: alone, optional, in a list or in a map.
template <class T>
Result<void> read_member(const Field& field, const json::Value& value, void* at) {
  if (field.cardinality == Cardinality::list) {
    const json::Array* items = value.if_array();
    if (items == nullptr) return wrong_type(field, "list");
    auto& out = as<std::vector<T>>(at);
    out.reserve(items->size());
    for (const json::Value& item : *items) {
      T element{};
      KL_CHECK_FN(read_scalar(field, item, element));
      out.push_back(std::move(element));
    }
    return {};
  }
  if (field.cardinality == Cardinality::map) {
    const json::Object* members = value.if_object();
    if (members == nullptr) return wrong_type(field, "map");
    auto& out = as<std::map<std::string, T>>(at);
    for (const auto& member : *members)
      KL_CHECK_FN(read_scalar(field, member.value(), out[std::string(member.key())]));
    return {};
  }
  constexpr bool kOwnOptional =
      std::is_same_v<T, std::optional<WallTime>> || std::is_same_v<T, json::Value>;
  if (field.pointer && !kOwnOptional)
    return read_scalar(field, value, as<std::optional<T>>(at).emplace());
  return read_scalar(field, value, as<T>(at));
}

Result<void> read_object_member(const Member& member, const json::Value& value, void* at) {
  const Field& field = member.field();
  if (field.type->form == JsonForm::strings)
    return read_member<std::vector<std::string>>(field, value, at);
  const StructInfo& info = member.type();
  if (field.cardinality == Cardinality::one)
    return read_struct(info, value, member.ops != nullptr ? member.ops->resize(at, 1) : at);
  const json::Array* items = value.if_array();
  if (items == nullptr) return wrong_type(field, "list");
  auto* element = static_cast<std::byte*>(member.ops->resize(at, items->size()));
  for (const json::Value& item : *items) {
    if (!item.is_null()) KL_CHECK_FN(read_struct(info, item, element));
    element += info.size;
  }
  return {};
}

Result<void> read_one(const Member& member, const json::Value& value, void* at) {
  const Field& field = member.field();
  switch (field.kind) {
    case Kind::string:
    case Kind::bytes:
      return read_member<std::string>(field, value, at);
    case Kind::boolean:
      return read_member<bool>(field, value, at);
    case Kind::int32:
      return read_member<int32_t>(field, value, at);
    case Kind::int64:
      return read_member<int64_t>(field, value, at);
    case Kind::quantity:
      return read_member<Quantity>(field, value, at);
    case Kind::int_or_string:
      return read_member<IntOrString>(field, value, at);
    case Kind::time:
    case Kind::micro_time:
      return read_member<std::optional<WallTime>>(field, value, at);
    case Kind::raw:
    case Kind::any:
      return read_member<json::Value>(field, value, at);
    case Kind::object:
      return read_object_member(member, value, at);
    case Kind::float64:
    case Kind::duration:
      break;  // in no struct: the generator refuses them
  }
  return Error(Code::internal, "{}: no such member type", field.name);
}

// --- writing
// --------------------------------------------------------------------------------------------------

json::Value write_scalar(const Field& field, const std::string& in) {
  return field.kind == Kind::bytes ? json::Value(encode_base64(in)) : json::Value(in);
}
json::Value write_scalar(const Field&, bool in) { return in; }
json::Value write_scalar(const Field&, int32_t in) { return in; }
json::Value write_scalar(const Field&, int64_t in) { return in; }
json::Value write_scalar(const Field&, const Quantity& in) { return json::Value(in.text()); }
json::Value write_scalar(const Field&, const IntOrString& in) {
  return in.text ? json::Value(*in.text) : json::Value(in.number);
}
json::Value write_scalar(const Field& field, const std::optional<WallTime>& in) {
  if (!in) return nullptr;
  return json::Value(field.kind == Kind::time ? rfc3339(*in) : rfc3339_micro(*in));
}
json::Value write_scalar(const Field&, const json::Value& in) { return in; }
json::Value write_scalar(const Field&, const std::vector<std::string>& in) {
  json::Array items;
  for (const std::string& item : in) items.emplace_back(item);
  return items;
}

// Null: nothing to write.
template <class T>
json::Value write_member(const Field& field, const void* at) {
  if (field.cardinality == Cardinality::list) {
    const auto& in = as<std::vector<T>>(at);
    if (in.empty()) return nullptr;
    json::Array items;
    for (const T& item : in) items.push_back(write_scalar(field, item));
    return items;
  }
  if (field.cardinality == Cardinality::map) {
    const auto& in = as<std::map<std::string, T>>(at);
    if (in.empty()) return nullptr;
    json::Object members;
    for (const auto& [key, item] : in) members[key] = write_scalar(field, item);
    return members;
  }
  if constexpr (std::is_same_v<T, std::optional<WallTime>> || std::is_same_v<T, json::Value>) {
    return write_scalar(field, as<T>(at));
  } else {
    if (!field.pointer) return as<T>(at) == T{} ? json::Value() : write_scalar(field, as<T>(at));
    const auto& in = as<std::optional<T>>(at);
    return in ? write_scalar(field, *in) : json::Value();
  }
}

void write_members(const StructInfo& info, const void* in, json::Object& object);

json::Value write_object(const StructInfo& info, const void* in) {
  json::Object object;
  write_members(info, in, object);
  return object;
}

json::Value write_object_member(const Member& member, const void* at) {
  const Field& field = member.field();
  if (field.type->form == JsonForm::strings)
    return write_member<std::vector<std::string>>(field, at);
  const StructInfo& info = member.type();
  if (member.ops == nullptr) {
    json::Value value = write_object(info, at);
    return value.get_object().empty() ? json::Value() : value;
  }
  size_t count = 0;
  const auto* element = static_cast<const std::byte*>(member.ops->data(at, count));
  if (field.cardinality == Cardinality::one)
    return count == 0 ? json::Value() : write_object(info, element);
  if (count == 0) return nullptr;
  json::Array items;
  for (size_t i = 0; i < count; ++i) items.push_back(write_object(info, element + i * info.size));
  return items;
}

json::Value write_one(const Member& member, const void* at) {
  const Field& field = member.field();
  switch (field.kind) {
    case Kind::string:
    case Kind::bytes:
      return write_member<std::string>(field, at);
    case Kind::boolean:
      return write_member<bool>(field, at);
    case Kind::int32:
      return write_member<int32_t>(field, at);
    case Kind::int64:
      return write_member<int64_t>(field, at);
    case Kind::quantity:
      return write_member<Quantity>(field, at);
    case Kind::int_or_string:
      return write_member<IntOrString>(field, at);
    case Kind::time:
    case Kind::micro_time:
      return write_member<std::optional<WallTime>>(field, at);
    case Kind::raw:
    case Kind::any:
      return write_member<json::Value>(field, at);
    case Kind::object:
      return write_object_member(member, at);
    case Kind::float64:
    case Kind::duration:
      break;
  }
  return nullptr;
}

void write_members(const StructInfo& info, const void* in, json::Object& object) {
  for (const Member& member : info.members) {
    json::Value value = write_one(member, static_cast<const std::byte*>(in) + member.offset);
    if (!value.is_null()) object[member.field().name] = std::move(value);
  }
}

}  // namespace

Result<void> read_struct(const StructInfo& info, const json::Value& value, void* out) {
  const json::Object* object = value.if_object();
  if (object == nullptr)
    return Error(Code::bad_request, "not an object of type {}", info.type->go_name);
  for (const Member& member : info.members) {
    const json::Value* found = object->if_contains(member.field().name);
    if (found == nullptr || found->is_null()) continue;
    KL_CHECK_FN(read_one(member, *found, static_cast<std::byte*>(out) + member.offset), "{}",
                info.type->go_name);
  }
  return {};
}

json::Value write_struct(const StructInfo& info, const void* in) {
  json::Object object;
  if (!info.type->kind.empty()) {
    object["kind"] = info.type->kind;
    object["apiVersion"] = info.type->api_version;
  }
  write_members(info, in, object);
  return object;
}

std::string print_struct(const StructInfo& info, const void* in) {
  return encode(*info.type, write_struct(info, in));
}

}  // namespace kinglet::schema
