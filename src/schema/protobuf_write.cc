// JSON values -> Kubernetes' protobuf: proto2 written by gogo, whose habits clients rely on. Fields
// in the order of their numbers; scalars, strings and structs by value always, even when zero;
// pointers when set; lists and maps when not empty; map keys sorted.
#include <cmath>
#include <cstring>

#include "base/clock.h"
#include "schema/codec.h"
#include "schema/internal/base64.h"
#include "schema/internal/protobuf_wire.h"
#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

const json::Object kEmpty;
const json::Value kNull;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }
std::string_view text_of(const json::Value& value) {
  return value.is_string() ? view(value.get_string()) : std::string_view();
}
int64_t integer_of(const json::Value& value) {
  return value.is_int64() ? value.get_int64() : value.is_bool() ? value.get_bool() : 0;
}

std::string time_message(const json::Value& value) {
  std::string message;
  const auto time = parse_rfc3339(std::string(text_of(value)));
  if (!time) return message;  // unset: an empty message
  // Rounded down, so that the nanoseconds are never negative.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time->since_epoch);
  wire::put_integer(message, 1, seconds.count());
  wire::put_integer(message, 2, (time->since_epoch - seconds).count() * 1000);
  return message;
}

std::string int_or_string_message(const json::Value& value) {
  std::string message;
  wire::put_integer(message, 1, value.is_string() ? 1 : 0);
  wire::put_integer(message, 2, integer_of(value));
  wire::put_bytes(message, 3, text_of(value));
  return message;
}

std::string text_message(std::string_view text) {
  std::string message;
  wire::put_bytes(message, 1, text);
  return message;
}

class Writer {
 public:
  static std::string message(const Type& type, const json::Object& object) {
    std::vector<const Field*> ordered;
    for (const Field& field : type.fields)
      if (field.number != 0) ordered.push_back(&field);
    std::sort(ordered.begin(), ordered.end(),
              [](auto* a, auto* b) { return a->number < b->number; });
    std::string out;
    for (const Field* field : ordered) {
      if (field->is_inline) {
        wire::put_bytes(out, field->number, message(*field->type, object));
        continue;
      }
      const json::Value* value = object.if_contains(field->name);
      member(out, *field, value != nullptr ? *value : kNull);
    }
    return out;
  }

 private:
  static void member(std::string& out, const Field& field, const json::Value& value) {
    if (field.cardinality == Cardinality::list) {
      if (const json::Array* items = value.if_array())
        for (const json::Value& item : *items) element(out, field, field.number, item);
      return;
    }
    if (field.cardinality == Cardinality::map) {
      if (const json::Object* members = value.if_object()) map(out, field, *members);
      return;
    }
    if (value.is_null() && field.pointer) return;
    if (field.kind == Kind::bytes && text_of(value).empty()) return;
    element(out, field, field.number, value);
  }

  static void map(std::string& out, const Field& field, const json::Object& members) {
    std::map<std::string_view, const json::Value*> sorted;
    for (const auto& member : members)
      sorted[{member.key().data(), member.key().size()}] = &member.value();
    for (const auto& [key, value] : sorted) {
      std::string entry;
      wire::put_bytes(entry, 1, key);
      element(entry, field, 2, *value);
      wire::put_bytes(out, field.number, entry);
    }
  }

  static void element(std::string& out, const Field& field, int32_t number,
                      const json::Value& value) {
    switch (field.kind) {
      case Kind::string:
        return wire::put_bytes(out, number, text_of(value));
      case Kind::boolean:
      case Kind::int32:
      case Kind::int64:
        return wire::put_integer(out, number, integer_of(value));
      case Kind::float64: {
        const double d =
            value.is_double() ? value.get_double() : static_cast<double>(integer_of(value));
        return wire::put_double(out, number, d);
      }
      case Kind::bytes:
        return wire::put_bytes(out, number, decode_base64(text_of(value)).value_or(""));
      case Kind::quantity: {
        const std::string_view text = text_of(value);
        return wire::put_bytes(out, number, text_message(text.empty() ? "0" : text));
      }
      case Kind::int_or_string:
        return wire::put_bytes(out, number, int_or_string_message(value));
      case Kind::time:
      case Kind::micro_time:
        return wire::put_bytes(out, number, time_message(value));
      case Kind::duration: {
        std::string message;
        wire::put_integer(message, 1, parse_go_duration(text_of(value)).value_or(0));
        return wire::put_bytes(out, number, message);
      }
      case Kind::raw:
      case Kind::any:
        // In a list `null` is a value; alone it is unset.
        if (value.is_null() && field.cardinality == Cardinality::one)
          return wire::put_bytes(out, number, {});
        return wire::put_bytes(out, number, text_message(json::print(value)));
      case Kind::object:
        return wire::put_bytes(out, number, object(*field.type, value));
    }
  }

  static std::string object(const Type& type, const json::Value& value) {
    if (type.form == JsonForm::object)
      return message(type, value.is_object() ? value.get_object() : kEmpty);
    std::string out;
    const json::Value yes(true);
    for (const Field& choice : type.fields) {
      const bool wants_list = choice.cardinality == Cardinality::list;
      if (choice.kind == Kind::boolean) {
        // A schema in its place allows.
        member(out, choice, value.is_bool() ? value : yes);
      } else if (wants_list ? value.is_array() : value.is_object()) {
        member(out, choice, value);
      }
    }
    return out;
  }
};

std::string envelope(std::string_view api_version, std::string_view kind, std::string_view raw) {
  std::string meta;
  wire::put_bytes(meta, 1, api_version);
  wire::put_bytes(meta, 2, kind);
  std::string out(wire::kMagic);
  wire::put_bytes(out, 1, meta);
  wire::put_bytes(out, 2, raw);
  wire::put_bytes(out, 3, {});
  wire::put_bytes(out, 4, {});
  return out;
}

}  // namespace

std::string to_protobuf(const json::Value& object) {
  const std::string_view api_version = json::text_at(object, {"apiVersion"});
  const std::string_view kind = json::text_at(object, {"kind"});
  const Type* type = find_object_type(api_version, kind);
  if (type == nullptr) return {};
  return envelope(api_version, kind, Writer::message(*type, object.get_object()));
}

std::string protobuf_watch_event(std::string_view type, std::string_view object) {
  std::string out;
  wire::put_bytes(out, 1, type);
  wire::put_bytes(out, 2, text_message(object));
  return out;
}

}  // namespace kinglet::schema
