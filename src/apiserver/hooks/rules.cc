#include "apiserver/hooks/rules.h"

#include <charconv>

#include "apiserver/hooks/address.h"
#include "schema/metadata_rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

const json::Value kNull;

}  // namespace

const json::Value& at(const json::Value& object, std::string_view name) {
  if (!object.is_object()) return kNull;
  const auto* value = object.get_object().if_contains(name);
  return value ? *value : kNull;
}

const json::Value& at(const json::Value& object, std::initializer_list<std::string_view> path) {
  const json::Value* value = &object;
  for (const auto name : path) value = &at(*value, name);
  return *value;
}

const json::Array& items(const json::Value& object, std::string_view name) {
  static const json::Array kEmpty;
  const auto& value = at(object, name);
  return value.is_array() ? value.get_array() : kEmpty;
}

std::string_view text(const json::Value& object, std::string_view name) {
  const auto& value = at(object, name);
  return value.is_string() ? std::string_view(value.get_string()) : std::string_view();
}

int64_t number(const json::Value& object, std::string_view name, int64_t otherwise) {
  const auto& value = at(object, name);
  return value.is_int64() ? value.get_int64() : otherwise;
}

bool is_empty(const json::Value& value) {
  if (value.is_null()) return true;
  if (value.is_string()) return value.get_string().empty();
  if (value.is_array()) return value.get_array().empty();
  if (value.is_object()) return value.get_object().empty();
  return value.is_int64() && value.get_int64() == 0;
}

bool equal(const json::Value& a, const json::Value& b) {
  const auto nothing = [](const json::Value& v) {
    return v.is_null() || (v.is_array() && v.get_array().empty()) ||
           (v.is_object() && v.get_object().empty());
  };
  if (nothing(a) || nothing(b)) return nothing(a) && nothing(b);
  if (a.is_array() && b.is_array()) {
    const auto &left = a.get_array(), &right = b.get_array();
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), equal);
  }
  if (!a.is_object() || !b.is_object()) return a == b;
  for (const auto& [key, value] : a.get_object())
    if (!equal(value, at(b, key))) return false;
  for (const auto& [key, value] : b.get_object())
    if (!a.get_object().contains(key) && !nothing(value)) return false;
  return true;
}

void check_immutable(Causes& causes, const Path& path, const json::Value& now,
                     const json::Value& old) {
  if (!equal(now, old)) schema::add_invalid(causes, path, now, "field is immutable");
}

void check_not_negative(Causes& causes, const Path& path, const json::Value& value) {
  if (value.is_int64() && value.get_int64() < 0)
    schema::add_invalid(causes, path, value, "must be greater than or equal to 0");
}

void check_not_negative(Causes& causes, const Path& parent, const json::Value& object,
                        std::initializer_list<std::string_view> members) {
  for (const auto name : members) check_not_negative(causes, parent.child(name), at(object, name));
}

void check_range(Causes& causes, const Path& path, const json::Value& value, int64_t low,
                 int64_t high) {
  if (value.is_int64() && (value.get_int64() < low || value.get_int64() > high))
    schema::add_invalid(causes, path, value,
                        fmt::format("must be between {} and {}, inclusive", low, high));
}

void check_name(Causes& causes, const Path& path, const json::Value& value,
                std::vector<std::string> (*rule)(std::string_view)) {
  if (is_empty(value)) return schema::add_required(causes, path);
  if (value.is_string()) schema::add_invalid_each(causes, path, value, rule(value.get_string()));
}

void check_one_of(Causes& causes, const Path& path, const json::Value& value,
                  std::initializer_list<std::string_view> set) {
  if (is_empty(value)) return schema::add_required(causes, path);
  if (!value.is_string()) return;
  for (const auto known : set)
    if (value.get_string() == known) return;
  schema::add_unsupported(causes, path, value, set);
}

void check_port(Causes& causes, const Path& path, const json::Value& port) {
  const int64_t number = port.is_int64() ? port.get_int64() : 0;
  schema::add_invalid_each(causes, path, json::Value(number), schema::port_number_errors(number));
}

void check_port_or_name(Causes& causes, const Path& path, const json::Value& port) {
  if (!port.is_string()) return check_port(causes, path, port);
  schema::add_invalid_each(causes, path, port, schema::port_name_errors(port.get_string()));
}

void check_unique(Causes& causes, const Path& list, const json::Array& values,
                  std::string_view key) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& value = at(values[i], key);
    if (is_empty(value)) continue;
    const auto same = [&](const json::Value& other) { return at(other, key) == value; };
    const Path item = list.index(i);
    if (std::any_of(values.begin(), values.begin() + static_cast<long>(i), same))
      schema::add_duplicate(causes, item.child(key), value);
  }
}

namespace {

void check_expression(Causes& causes, const Path& path, const json::Value& expression) {
  const auto op = text(expression, "operator");
  const bool some = !items(expression, "values").empty();
  if (op == "In" || op == "NotIn") {
    if (!some)
      schema::add_required(causes, path.child("values"),
                           "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (some)
      schema::add_forbidden(causes, path.child("values"),
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else {
    schema::add_invalid(causes, path.child("operator"), json::Value(op),
                        "not a valid selector operator");
  }
  const auto key = text(expression, "key");
  schema::add_invalid_each(causes, path.child("key"), json::Value(key),
                           schema::label_key_errors(key));
  const auto& values = items(expression, "values");
  const Path list = path.child("values");
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].is_string())
      schema::add_invalid_each(causes, list.index(i), values[i],
                               schema::label_value_errors(values[i].get_string()));
}

}  // namespace

void check_selector(Causes& causes, const Path& path, const json::Value& selector) {
  schema::check_labels(at(selector, "matchLabels"), path.child("matchLabels"), causes);
  const auto& expressions = items(selector, "matchExpressions");
  const Path list = path.child("matchExpressions");
  for (size_t i = 0; i < expressions.size(); ++i)
    check_expression(causes, list.index(i), expressions[i]);
}

void check_quantity(Causes& causes, const Path& path, const json::Value& quantity) {
  if (!quantity.is_string()) return;
  const auto parsed = schema::Quantity::parse(quantity.get_string());
  if (!parsed) return schema::add_invalid(causes, path, quantity, parsed.error().message());
  if (parsed->compare(schema::Quantity()) < 0)
    schema::add_invalid(causes, path, quantity, "must be greater than or equal to 0");
}

void check_number_or_percent(Causes& causes, const Path& path, const json::Value& value) {
  if (value.is_int64()) return check_not_negative(causes, path, value);
  if (value.is_string())
    schema::add_invalid_each(causes, path, value, schema::percent_errors(value.get_string()));
}

bool is_percent_over_100(const json::Value& value) {
  if (!value.is_string()) return false;
  const std::string_view digits = value.get_string();
  int64_t percent = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), percent);
  return read.ec == std::errc::result_out_of_range || percent > 100;
}

void check_ip(Causes& causes, const Path& path, const json::Value& value) {
  if (!value.is_string() || !Address::parse(value.get_string()))
    schema::add_invalid(causes, path, value,
                        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void check_cidr(Causes& causes, const Path& path, const json::Value& value) {
  if (!value.is_string() || !Cidr::parse(value.get_string()))
    schema::add_invalid(causes, path, value,
                        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

}  // namespace kinglet::apiserver
