#include <cmath>
#include <unordered_map>

#include "base/clock.h"
#include "schema/codec.h"
#include "schema/internal/base64.h"
#include "schema/internal/protobuf_wire.h"
#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

using wire::Item;
using wire::Reader;
using wire::WireType;

Error malformed(std::string_view what) {
  return Error(Code::bad_request, "protobuf: malformed {}", what);
}

// A message whose fields 1, 2, 3 are all that it may have: Time, IntOrString, Quantity, map
// entries.
struct Small {
  Item items[4];
  bool seen[4] = {};
};
Result<Small> read_small(std::string_view message, std::string_view what) {
  Small small;
  for (Reader reader(message); !reader.at_end();) {
    const auto item = reader.next();
    if (!item) return malformed(what);
    if (item->number > 3) continue;
    small.items[item->number] = *item;
    small.seen[item->number] = true;
  }
  return small;
}

Result<json::Value> text_value(std::string_view bytes, std::string_view what) {
  if (!wire::is_utf8(bytes)) return Error(Code::bad_request, "protobuf: {} is no UTF-8", what);
  return json::Value(bytes);
}

Result<json::Value> time_value(std::string_view message, bool micro) {
  if (message.empty()) return json::Value();
  KL_TRY_FN(small, read_small(message, "time"));
  // Years 1 to 9999, which is what the text form can say.
  const auto seconds = static_cast<int64_t>(small.items[1].integer);
  const auto nanos = static_cast<int64_t>(small.items[2].integer);
  if (seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999'999'999)
    return malformed("time");
  const WallTime time{std::chrono::seconds(seconds) + std::chrono::microseconds(nanos / 1000)};
  return json::Value(micro ? rfc3339_micro(time) : rfc3339(time));
}

Result<json::Value> int_or_string_value(std::string_view message) {
  KL_TRY_FN(small, read_small(message, "IntOrString"));
  if (small.items[1].integer == 1) return text_value(small.items[3].bytes, "IntOrString");
  return json::Value(static_cast<int64_t>(static_cast<int32_t>(small.items[2].integer)));
}

class MessageReader {
 public:
  Result<json::Value> message(const Type& type, std::string_view bytes) {
    json::Object out;
    KL_CHECK_FN(fields(type, bytes, out));
    return json::Value(std::move(out));
  }

 private:
  struct Deeper {
    explicit Deeper(size_t& depth) : depth(depth) { ++depth; }
    ~Deeper() { --depth; }
    size_t& depth;
  };

  Result<void> fields(const Type& type, std::string_view bytes, json::Object& out) {
    const Deeper deeper(depth_);
    if (depth_ > json::kDepthMax) return Error(Code::bad_request, "protobuf: nested too deeply");
    for (Reader reader(bytes); !reader.at_end();) {
      const auto item = reader.next();
      if (!item) return malformed(type.go_name);
      const Field* field = by_number(type, item->number);
      if (field == nullptr) continue;  // of a newer version
      if (field->is_inline) {
        if (item->type != WireType::bytes) return malformed(field->name);
        KL_CHECK_FN(fields(*field->type, item->bytes, out));
        continue;
      }
      KL_CHECK_FN(member(*field, *item, out));
    }
    return {};
  }

  static const Field* by_number(const Type& type, uint32_t number) {
    for (const Field& field : type.fields)
      if (field.number != 0 && static_cast<uint32_t>(field.number) == number) return &field;
    return nullptr;
  }

  Result<void> member(const Field& field, const Item& item, json::Object& out) {
    if (field.cardinality == Cardinality::map) return map_entry(field, item, out);
    if (field.cardinality == Cardinality::one) {
      KL_TRY_FN(value, element(field, item));
      out[field.name] = std::move(value);
      return {};
    }
    json::Value& list = out[field.name];
    if (!list.is_array()) list.emplace_array();
    const bool is_number =
        field.kind == Kind::int32 || field.kind == Kind::int64 || field.kind == Kind::boolean;
    if (is_number && item.type == WireType::bytes)
      return packed(field, item.bytes, list.get_array());
    KL_TRY_FN(value, element(field, item));
    list.get_array().push_back(std::move(value));
    return {};
  }

  static Result<void> packed(const Field& field, std::string_view bytes, json::Array& out) {
    for (Reader reader(bytes); !reader.at_end();) {
      const auto value = reader.varint();
      if (!value) return malformed(field.name);
      out.push_back(number(field, *value));
    }
    return {};
  }

  static json::Value number(const Field& field, uint64_t value) {
    if (field.kind == Kind::boolean) return value != 0;
    if (field.kind == Kind::int32) return static_cast<int64_t>(static_cast<int32_t>(value));
    return static_cast<int64_t>(value);
  }

  Result<void> map_entry(const Field& field, const Item& item, json::Object& out) {
    if (item.type != WireType::bytes) return malformed(field.name);
    KL_TRY_FN(entry, read_small(item.bytes, field.name));
    KL_TRY_FN(key, text_value(entry.items[1].bytes, field.name));
    json::Value value = zero_of(field);
    if (entry.seen[2]) {
      KL_TRY_FN(read, element(field, entry.items[2]));
      value = std::move(read);
    }
    json::Value& map = out[field.name];
    if (!map.is_object()) map.emplace_object();
    map.get_object()[key.get_string()] = std::move(value);
    return {};
  }

  Result<json::Value> element(const Field& field, const Item& item) {
    switch (field.kind) {
      case Kind::boolean:
      case Kind::int32:
      case Kind::int64:
        if (item.type != WireType::varint) return malformed(field.name);
        return number(field, item.integer);
      case Kind::float64: {
        if (item.type != WireType::fixed64) return malformed(field.name);
        const auto value = std::bit_cast<double>(item.integer);
        if (!std::isfinite(value)) return malformed(field.name);
        return json::Value(value);
      }
      default:
        break;
    }
    if (item.type != WireType::bytes) return malformed(field.name);
    return from_bytes(field, item.bytes);
  }

  Result<json::Value> from_bytes(const Field& field, std::string_view bytes) {
    switch (field.kind) {
      case Kind::string:
        return text_value(bytes, field.name);
      case Kind::bytes:
        return json::Value(encode_base64(bytes));
      case Kind::int_or_string:
        return int_or_string_value(bytes);
      case Kind::time:
        return time_value(bytes, false);
      case Kind::micro_time:
        return time_value(bytes, true);
      case Kind::quantity: {
        KL_TRY_FN(small, read_small(bytes, field.name));
        return text_value(small.seen[1] ? small.items[1].bytes : "0", field.name);
      }
      case Kind::duration: {
        KL_TRY_FN(small, read_small(bytes, field.name));
        return json::Value(print_go_duration(static_cast<int64_t>(small.items[1].integer)));
      }
      case Kind::raw:
      case Kind::any:
        return raw_value(field, bytes);
      case Kind::object:
        return field.type->form == JsonForm::object ? message(*field.type, bytes)
                                                    : alternative(*field.type, bytes);
      default:
        return malformed(field.name);
    }
  }

  // JSON text, or an object in its own envelope.
  Result<json::Value> raw_value(const Field& field, std::string_view bytes) {
    KL_TRY_FN(small, read_small(bytes, field.name));
    const std::string_view raw = small.items[1].bytes;
    if (raw.empty()) return json::Value();
    const Deeper deeper(depth_);
    if (depth_ > json::kDepthMax) return Error(Code::bad_request, "protobuf: nested too deeply");
    if (raw.starts_with(wire::kMagic)) return enveloped(raw);
    return json::parse(raw);
  }

  // The message has several fields of which the JSON shows the one that is set.
  Result<json::Value> alternative(const Type& type, std::string_view bytes) {
    json::Object parts;
    KL_CHECK_FN(fields(type, bytes, parts));
    const json::Value* flag = nullptr;
    for (const Field& choice : type.fields) {
      json::Value* part = parts.if_contains(choice.name);
      if (part == nullptr) continue;
      if (choice.kind == Kind::boolean) {
        flag = part;
      } else {
        return json::Value(std::move(*part));
      }
    }
    if (flag != nullptr) return json::Value(*flag);
    if (type.form == JsonForm::strings) return json::Value(json::Array());
    return json::Value();
  }

 public:
  Result<json::Value> enveloped(std::string_view bytes) {
    KL_TRY_FN(unknown, read_small(bytes.substr(wire::kMagic.size()), "envelope"));
    KL_TRY_FN(meta, read_small(unknown.items[1].bytes, "envelope"));
    const std::string api_version(meta.items[1].bytes);
    const std::string kind(meta.items[2].bytes);
    const Type* type = find_object_type(api_version, kind);
    if (type == nullptr)
      return Error(Code::bad_request, "no kind \"{}\" is registered for version \"{}\"",
                   wire::is_utf8(kind) ? kind : "?",
                   wire::is_utf8(api_version) ? api_version : "?");
    KL_TRY_FN(value, message(*type, unknown.items[2].bytes));
    value.get_object()["kind"] = json::Value(kind);
    value.get_object()["apiVersion"] = json::Value(api_version);
    // Order, zeros and the texts of quantities are the same as of objects that came as JSON.
    return decode(*type, value);
  }

 private:
  size_t depth_ = 0;
};

}  // namespace

Result<json::Value> from_protobuf(std::string_view bytes) {
  if (!bytes.starts_with(wire::kMagic))
    return Error(
        Code::bad_request,
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  return MessageReader().enveloped(bytes);
}

}  // namespace kinglet::schema
