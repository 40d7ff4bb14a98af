// Label selectors: matching, the text form printed back, and the LabelSelector object. The text's
// parser is selector_parse.cc.
#include <algorithm>
#include <charconv>

#include "schema/values.h"

namespace kinglet::schema {
namespace {

using Op = Requirement::Op;

bool holds(const Requirement& r, const std::string& value) {
  return std::find(r.values.begin(), r.values.end(), value) != r.values.end();
}

std::optional<int64_t> integer(std::string_view text) {
  int64_t out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

bool ordered(const Requirement& r, const std::string& value) {
  const auto have = integer(value);
  const auto bound = r.values.size() == 1 ? integer(r.values[0]) : std::nullopt;
  if (!have || !bound) return false;
  return r.op == Op::greater ? *have > *bound : *have < *bound;
}

std::string requirement_text(const Requirement& r) {
  auto values = r.values;
  std::sort(values.begin(), values.end());
  const bool single = values.size() == 1;
  switch (r.op) {
    case Op::exists:
      return r.key;
    case Op::absent:
      return "!" + r.key;
    case Op::in:
      if (single) return fmt::format("{}={}", r.key, values[0]);
      return fmt::format("{} in ({})", r.key, fmt::join(values, ","));
    case Op::not_in:
      if (single) return fmt::format("{}!={}", r.key, values[0]);
      return fmt::format("{} notin ({})", r.key, fmt::join(values, ","));
    case Op::greater:
      return fmt::format("{}>{}", r.key, fmt::join(values, ","));
    case Op::less:
      return fmt::format("{}<{}", r.key, fmt::join(values, ","));
  }
  return {};
}

std::optional<Op> operator_named(std::string_view name) {
  if (name == "In") return Op::in;
  if (name == "NotIn") return Op::not_in;
  if (name == "Exists") return Op::exists;
  if (name == "DoesNotExist") return Op::absent;
  return std::nullopt;
}

Result<Requirement> requirement_of(const json::Value& expression) {
  const auto name = json::text_at(expression, {"operator"});
  const auto op = operator_named(name);
  if (!op) return Error(Code::invalid, "\"{}\" is not a valid label selector operator", name);
  Requirement r{std::string(json::text_at(expression, {"key"})), *op, {}};
  const auto* values = json::find(expression, {"values"});
  if (values && values->is_array())
    for (const auto& value : values->get_array())
      if (value.is_string()) r.values.emplace_back(value.get_string());
  const bool wants_values = *op == Op::in || *op == Op::not_in;
  if (wants_values && r.values.empty())
    return Error(Code::invalid, "for 'in', 'notin' operators, values set can't be empty");
  if (!wants_values && !r.values.empty())
    return Error(Code::invalid, "values set must be empty for exists and does not exist");
  return r;
}

}  // namespace

bool Selector::requirement_matches(const Requirement& r, const std::string* value) {
  switch (r.op) {
    case Op::exists:
      return value != nullptr;
    case Op::absent:
      return value == nullptr;
    case Op::in:
      return value && holds(r, *value);
    case Op::not_in:
      return !value || !holds(r, *value);
    case Op::greater:
    case Op::less:
      return value && ordered(r, *value);
  }
  return false;
}

Selector Selector::nothing() {
  Selector out;
  out.nothing_ = true;
  return out;
}

std::string Selector::text() const {
  std::vector<std::string> parts;
  for (const auto& r : requirements_) parts.push_back(requirement_text(r));
  return fmt::format("{}", fmt::join(parts, ","));
}

// A null selector selects nothing, an empty one everything.
Result<Selector> Selector::from_object(const json::Value& selector) {
  if (selector.is_null()) return nothing();
  if (!selector.is_object()) return Error(Code::invalid, "a label selector must be an object");
  Selector out;
  const auto* labels = json::find(selector, {"matchLabels"});
  if (labels && labels->is_object())
    for (const auto& [key, value] : labels->get_object())
      if (value.is_string()) out.add({std::string(key), Op::in, {std::string(value.get_string())}});
  const auto* expressions = json::find(selector, {"matchExpressions"});
  if (expressions && expressions->is_array()) {
    for (const auto& expression : expressions->get_array()) {
      KL_TRY_FN(requirement, requirement_of(expression));
      out.add(requirement);
    }
  }
  std::stable_sort(out.requirements_.begin(), out.requirements_.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key < b.key; });
  return out;
}

}  // namespace kinglet::schema
