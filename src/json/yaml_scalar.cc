#include "json/internal/yaml_scalar.h"

#include <charconv>
#include <cmath>

namespace kinglet::json {
namespace {

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Go's strconv.ParseInt with base 0: 0x, 0b, 0o and a leading zero choose the base.
std::optional<Value> parse_integer(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size()) return {};
  constexpr uint64_t kLargest = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!negative) return number <= kLargest ? Value(static_cast<int64_t>(number)) : Value(number);
  if (number > kLargest + 1) return {};
  return Value(static_cast<int64_t>(0 - number));
}

// [-+]? ( .digits | digits [.digits] ) [ e [-+]? digits ]
bool looks_like_float(std::string_view text) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
    return i - start;
  };
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  size_t count = digits();
  if (i < text.size() && text[i] == '.') {
    ++i;
    const size_t fraction = digits();
    if (count == 0 && fraction == 0) return false;
    count += fraction;
  }
  if (count == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    if (digits() == 0) return false;
  }
  return i == text.size();
}

std::optional<Value> parse_float(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || end != text.data() + text.size()) return {};
  // Its way leads through JSON text, where 3.0 is printed as 3.
  if (number == std::floor(number) && std::abs(number) < 9e18)
    return Value(static_cast<int64_t>(number));
  return Value(number);
}

}  // namespace

std::optional<Value> resolve_plain_scalar(std::string_view text) {
  if (one_of(text, {"", "~", "null", "Null", "NULL"})) return Value(nullptr);
  if (one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}))
    return Value(true);
  if (one_of(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}))
    return Value(false);
  if (one_of(text, {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF",
                    "-.inf", "-.Inf", "-.INF"}))
    return {};
  const char first = text.front();
  if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.') {
    std::string digits(text);
    std::erase(digits, '_');  // 1_000 is a thousand
    if (first != '.')
      if (auto integer = parse_integer(digits)) return integer;
    if (looks_like_float(digits))
      if (auto number = parse_float(digits)) return number;
  }
  return Value(std::string(text));
}

}  // namespace kinglet::json
