#include "schema/internal/scalars.h"

#include "base/clock.h"
#include "schema/internal/base64.h"
#include "schema/values.h"

namespace kinglet::schema {
namespace {

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

Scalar mismatch(const json::Value& value, std::string wanted, bool with_number = false) {
  Scalar scalar;
  scalar.mismatch = true;
  scalar.found = json_kind_name(value);
  if (with_number && value.is_number()) scalar.found += " " + json::print(value);
  scalar.wanted = std::move(wanted);
  return scalar;
}

Scalar good(json::Value value) {
  Scalar scalar;
  scalar.value = std::move(value);
  return scalar;
}

Scalar integer(const json::Value& value, int64_t lowest, int64_t highest, const char* wanted) {
  if (!value.is_int64()) return mismatch(value, wanted, true);
  const int64_t number = value.get_int64();
  return number < lowest || number > highest ? mismatch(value, wanted, true) : good(number);
}

Result<Scalar> time(const json::Value& value, bool micro) {
  if (!value.is_string()) return mismatch(value, "string");
  const std::string text(view(value.get_string()));
  const auto parsed = parse_rfc3339(text);
  if (!parsed)
    return Error(Code::bad_request, R"(parsing time "{}" as "{}": cannot parse "{}" as "2006")",
                 text, micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00",
                 text);
  return good(json::Value(micro ? rfc3339_micro(*parsed) : rfc3339(*parsed)));
}

Result<Scalar> quantity(const Field& field, const json::Value& value) {
  if (!value.is_string() && !value.is_number()) return mismatch(value, "resource.Quantity");
  const std::string text =
      value.is_string() ? std::string(view(value.get_string())) : json::print(value);
  auto parsed = Quantity::parse(text);
  if (!parsed) return Error(Code::bad_request, parsed.error().message());
  // Resource lists keep nothing finer than a thousandth.
  if (field.cardinality == Cardinality::map) parsed = parsed->rounded_up_to_milli();
  return good(json::Value(parsed->text()));
}

Result<Scalar> bytes(const json::Value& value) {
  if (!value.is_string()) return mismatch(value, "[]uint8");
  const std::string_view text = view(value.get_string());
  size_t bad_at = 0;
  const auto decoded = decode_base64(text, &bad_at);
  if (!decoded) return Error(Code::bad_request, "illegal base64 data at input byte {}", bad_at);
  // Line breaks are allowed on input and nowhere else.
  if (text.find_first_of("\r\n") != std::string_view::npos)
    return good(json::Value(encode_base64(*decoded)));
  return good(value);
}

Result<Scalar> duration(const json::Value& value) {
  if (!value.is_string()) return mismatch(value, "string");
  const auto parsed = parse_go_duration(view(value.get_string()));
  if (!parsed) return Error(Code::bad_request, "time: invalid duration {}", json::print(value));
  return good(json::Value(print_go_duration(*parsed)));
}

std::string go_scalar_name(Kind kind) {
  switch (kind) {
    case Kind::string:
      return "string";
    case Kind::boolean:
      return "bool";
    case Kind::int32:
      return "int32";
    case Kind::int64:
      return "int64";
    case Kind::float64:
      return "float64";
    case Kind::bytes:
      return "[]uint8";
    case Kind::quantity:
      return "resource.Quantity";
    case Kind::int_or_string:
      return "intstr.IntOrString";
    case Kind::time:
      return "v1.Time";
    case Kind::micro_time:
      return "v1.MicroTime";
    case Kind::duration:
      return "v1.Duration";
    case Kind::raw:
      return "runtime.RawExtension";
    case Kind::any:
      return "v1.JSON";
    case Kind::object:
      break;
  }
  return "struct";
}

}  // namespace

std::string_view json_kind_name(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "bool";
    case boost::json::kind::string:
      return "string";
    case boost::json::kind::array:
      return "array";
    case boost::json::kind::object:
      return "object";
    default:
      return "number";
  }
}

std::string go_element_type_of(const Field& field) {
  if (field.kind != Kind::object) return go_scalar_name(field.kind);
  return std::string(field.type->name.substr(field.type->name.find('.') + 1));  // "v1.Container"
}

std::string go_type_of(const Field& field) {
  if (field.cardinality == Cardinality::map && field.kind == Kind::quantity)
    return "v1.ResourceList";
  const char* prefix = field.cardinality == Cardinality::list  ? "[]"
                       : field.cardinality == Cardinality::map ? "map[string]"
                                                               : "";
  return prefix + go_element_type_of(field);
}

Result<Scalar> canonical_scalar(const Field& field, const json::Value& value) {
  switch (field.kind) {
    case Kind::string:
      return value.is_string() ? good(value) : mismatch(value, "string");
    case Kind::boolean:
      return value.is_bool() ? good(value) : mismatch(value, "bool");
    case Kind::int32:
      return integer(value, INT32_MIN, INT32_MAX, "int32");
    case Kind::int64:
      return integer(value, INT64_MIN, INT64_MAX, "int64");
    case Kind::float64:
      return value.is_number() ? good(value) : mismatch(value, "float64");
    case Kind::int_or_string:
      return value.is_string() ? good(value) : integer(value, INT32_MIN, INT32_MAX, "int32");
    case Kind::time:
      return time(value, false);
    case Kind::micro_time:
      return time(value, true);
    case Kind::quantity:
      return quantity(field, value);
    case Kind::bytes:
      return bytes(value);
    case Kind::duration:
      return duration(value);
    case Kind::raw:
    case Kind::any:
      return good(value);
    case Kind::object:
      break;
  }
  return Error(Code::internal, "{} is no scalar", field.name);
}

bool is_zero(const Field& field, const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return true;
    case boost::json::kind::bool_:
      return !value.get_bool();
    case boost::json::kind::int64:
      return value.get_int64() == 0;
    case boost::json::kind::uint64:
      return value.get_uint64() == 0;
    case boost::json::kind::double_:
      return value.get_double() == 0;
    case boost::json::kind::array:
      return value.get_array().empty();
    case boost::json::kind::object:
      return value.get_object().empty();
    case boost::json::kind::string:
      break;
  }
  const std::string_view text = view(value.get_string());
  if (field.kind == Kind::quantity && text == "0") return true;
  if (field.kind == Kind::duration && text == "0s") return true;
  if (field.kind == Kind::time && text == "0001-01-01T00:00:00Z") return true;
  if (field.kind == Kind::micro_time && text == "0001-01-01T00:00:00.000000Z") return true;
  return text.empty() && field.kind != Kind::int_or_string;
}

json::Value zero_of(const Field& field) {
  switch (field.kind) {
    case Kind::string:
    case Kind::bytes:
      return json::Value("");
    case Kind::boolean:
      return false;
    case Kind::int32:
    case Kind::int64:
    case Kind::float64:
    case Kind::int_or_string:
      return 0;
    case Kind::quantity:
      return json::Value("0");
    case Kind::duration:
      return json::Value("0s");
    case Kind::object:
      return field.type->form == JsonForm::object ? json::Value(json::Object()) : json::Value();
    case Kind::time:
    case Kind::micro_time:
    case Kind::raw:
    case Kind::any:
      break;
  }
  return nullptr;
}

}  // namespace kinglet::schema
