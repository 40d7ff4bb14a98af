// Quantities as k8s.io/apimachinery resource.Quantity reads and prints them. A value is a whole
// number of nanos in 128 bits, which holds every quantity that upstream can tell apart below 10^28
// units; beyond that it saturates.
#include <algorithm>
#include <limits>

#include "schema/values.h"

namespace kinglet::schema {
namespace {

using Nanos = __int128;

enum class Format : uint8_t { decimal, exponent, binary };

struct Number {
  Nanos nanos = 0;
  Format format = Format::decimal;
};

constexpr Nanos kUnit = 1'000'000'000;
constexpr Nanos kMilli = 1'000'000;
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();
constexpr int64_t kInt64Min = std::numeric_limits<int64_t>::min();
// 10^28 units in nanos: a sum of two such values still fits 128 bits.
constexpr int kLargestPower = 37;
constexpr int kFastDigitsMax =
    18;  // upstream keeps that many digits in an int64, and caps longer ones

constexpr std::string_view kWrongFormat =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kWrongNumber = "unable to parse numeric part of quantity";
constexpr std::string_view kWrongSuffix = "unable to parse quantity's suffix";

Nanos power_of_ten(int exponent) {
  Nanos out = 1;
  for (int i = 0; i < exponent; ++i) out *= 10;
  return out;
}
const Nanos kLargest = power_of_ten(kLargestPower);

struct Suffix {
  std::string_view text;
  int exponent;  // of ten, or of two
};
constexpr Suffix kDecimalSuffixes[] = {{"n", -9}, {"u", -6}, {"m", -3}, {"", 0},   {"k", 3},
                                       {"M", 6},  {"G", 9},  {"T", 12}, {"P", 15}, {"E", 18}};
constexpr Suffix kBinarySuffixes[] = {{"", 0},    {"Ki", 10}, {"Mi", 20}, {"Gi", 30},
                                      {"Ti", 40}, {"Pi", 50}, {"Ei", 60}};

bool digit(char c) { return c >= '0' && c <= '9'; }

// What the text says, before any arithmetic.
struct Parts {
  bool negative = false;
  std::string digits;  // without leading zeros; the last `fraction` of them stand behind the point
  size_t whole = 0;    // digits before the point
  size_t fraction = 0;
  std::string_view suffix;
};

Result<Parts> split(std::string_view text) {
  Parts parts;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    parts.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  size_t at = 0;
  while (at < text.size() && text[at] == '0') ++at;
  size_t seen = at;
  for (; at < text.size() && digit(text[at]); ++at, ++seen, ++parts.whole) parts.digits += text[at];
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && digit(text[at]); ++at, ++seen, ++parts.fraction)
      parts.digits += text[at];
  }
  if (seen == 0) return Error(Code::invalid, std::string(kWrongFormat));
  parts.suffix = text.substr(at);
  while (at < text.size() &&
         std::string_view("eEinumkKMGTP").find(text[at]) != std::string_view::npos)
    ++at;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  while (at < text.size() && digit(text[at])) ++at;
  if (at != text.size()) return Error(Code::invalid, std::string(kWrongFormat));
  return parts;
}

struct Scale {
  Format format;
  int exponent;
};

// "e5", "E-3". Exponents far outside every quantity are all the same: the value saturates or rounds
// to one nano.
std::optional<Scale> read_exponent(std::string_view digits) {
  constexpr int kFar = 1000;
  bool negative = false;
  if (digits.front() == '+' || digits.front() == '-') {
    negative = digits.front() == '-';
    digits.remove_prefix(1);
  }
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), digit)) return std::nullopt;
  int exponent = 0;
  for (const char c : digits) exponent = std::min(kFar, exponent * 10 + (c - '0'));
  return Scale{Format::exponent, negative ? -exponent : exponent};
}

std::optional<Scale> read_suffix(std::string_view suffix) {
  for (const auto& s : kDecimalSuffixes)
    if (s.text == suffix) return Scale{Format::decimal, s.exponent};
  for (const auto& s : kBinarySuffixes)
    if (s.text == suffix) return Scale{Format::binary, s.exponent};
  if (suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E'))
    return read_exponent(suffix.substr(1));
  return std::nullopt;
}

// digits * 10^shift in nanos, away from zero where it is finer; nullopt when it is beyond kLargest.
std::optional<Nanos> scale_digits(std::string_view digits, int shift) {
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string_view::npos) return Nanos{0};
  digits.remove_prefix(first);
  bool remainder = false;
  while (shift < 0 && !digits.empty()) {
    remainder |= digits.back() != '0';
    digits.remove_suffix(1);
    ++shift;
  }
  if (digits.empty()) return Nanos{1};  // smaller than a nano, yet not nothing
  if (static_cast<int64_t>(digits.size()) + shift > kLargestPower) return std::nullopt;
  Nanos out = 0;
  for (const char c : digits) out = out * 10 + (c - '0');
  return out * power_of_ten(shift) + (remainder ? 1 : 0);
}

Nanos decimal_value(const Parts& parts, int exponent) {
  const int shift = exponent + 9 - static_cast<int>(std::min<size_t>(parts.fraction, 1'000'000));
  const auto nanos = scale_digits(parts.digits, shift);
  const bool wide = parts.digits.size() > kFastDigitsMax;
  const Nanos limit = wide ? kInt64Max * kUnit : kLargest;
  return nanos ? std::min(*nanos, limit) : limit;
}

// digits * 2^exponent, at most the largest int64.
Nanos binary_value(const Parts& parts, int exponent) {
  const Nanos limit = kInt64Max * kUnit;
  // A fraction longer than this is below a nano whatever the suffix; the rest of its digits only
  // round up.
  const int shift = 9 + 19 - static_cast<int>(std::min<size_t>(parts.fraction, 1'000'000));
  const auto fine = scale_digits(parts.digits, shift);  // units of 10^-28
  const Nanos factor = Nanos{1} << exponent;
  const Nanos fine_unit = power_of_ten(19);
  if (!fine || *fine / fine_unit > limit / factor) {
    // Too many whole digits for the fine form: they are exact in nanos.
    const auto nanos = scale_digits(parts.digits, shift - 19);
    return !nanos || *nanos > limit / factor ? limit : std::min(limit, *nanos * factor);
  }
  const Nanos whole = (*fine / fine_unit) * factor;
  const Nanos rest = *fine % fine_unit;  // < 10^19; times 2^60 fits 128 bits
  const auto rest_product =
      static_cast<unsigned __int128>(rest) * static_cast<unsigned __int128>(factor);
  const auto unit = static_cast<unsigned __int128>(fine_unit);
  const Nanos rest_nanos = static_cast<Nanos>((rest_product + unit - 1) / unit);
  return std::min(limit, whole + rest_nanos);
}

Result<Number> parse_number(std::string_view text) {
  if (text.empty()) return Error(Code::invalid, std::string(kWrongFormat));
  KL_TRY_FN(parts, split(text));
  if (parts.digits.size() > kQuantityDigitsMax)
    return Error(Code::invalid, std::string(kWrongNumber));
  const auto scale = read_suffix(parts.suffix);
  if (!scale) return Error(Code::invalid, std::string(kWrongSuffix));
  Number number;
  number.format = scale->format;
  number.nanos = scale->format == Format::binary ? binary_value(parts, scale->exponent)
                                                 : decimal_value(parts, scale->exponent);
  if (parts.negative) number.nanos = -number.nanos;
  return number;
}

std::string print_int(Nanos value) {
  if (value == 0) return "0";
  std::string out;
  for (Nanos rest = value < 0 ? -value : value; rest > 0; rest /= 10)
    out += static_cast<char>('0' + rest % 10);
  if (value < 0) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

std::string print_decimal(Nanos nanos, Format format) {
  int exponent = -9;
  while (nanos % 10 == 0) {
    nanos /= 10;
    ++exponent;
  }
  const auto fits = [&](int e) { return e % 3 == 0 && (format == Format::exponent || e <= 18); };
  for (; !fits(exponent); --exponent) nanos *= 10;
  if (format == Format::exponent)
    return exponent == 0 ? print_int(nanos) : fmt::format("{}e{}", print_int(nanos), exponent);
  for (const auto& s : kDecimalSuffixes)
    if (s.exponent == exponent) return print_int(nanos) + std::string(s.text);
  return print_int(nanos);
}

std::string print_binary(Nanos units) {
  int exponent = 0;
  for (; units % 1024 == 0 && exponent < 60; exponent += 10) units /= 1024;
  for (const auto& s : kBinarySuffixes)
    if (s.exponent == exponent) return print_int(units) + std::string(s.text);
  return print_int(units);
}

std::string canonical(const Number& number) {
  if (number.nanos == 0) return "0";
  const bool small = number.nanos > -1024 * kUnit && number.nanos < 1024 * kUnit;
  if (number.format == Format::binary && !small && number.nanos % kUnit == 0)
    return print_binary(number.nanos / kUnit);
  return print_decimal(number.nanos,
                       number.format == Format::exponent ? Format::exponent : Format::decimal);
}

// A canonical text always parses.
Number number_of(const std::string& text) {
  auto number = parse_number(text);
  return number ? *number : Number{};
}

int64_t divide_up(Nanos nanos, Nanos unit) {
  Nanos out = nanos / unit;
  if (nanos % unit != 0) out += nanos > 0 ? 1 : -1;
  if (out > kInt64Max) return kInt64Max;
  if (out < kInt64Min) return kInt64Min;
  return static_cast<int64_t>(out);
}

Number add(const Number& a, const Number& b, int sign) {
  Number out;
  out.nanos = std::clamp<Nanos>(a.nanos + sign * b.nanos, -kLargest, kLargest);
  out.format = a.nanos == 0 ? b.format : a.format;
  return out;
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  KL_TRY_FN(number, parse_number(text));
  Quantity out;
  out.text_ = canonical(number);
  return out;
}

int64_t Quantity::value() const { return divide_up(number_of(text_).nanos, kUnit); }
int64_t Quantity::milli_value() const { return divide_up(number_of(text_).nanos, kMilli); }
bool Quantity::is_zero() const { return text_ == "0"; }

int Quantity::compare(const Quantity& other) const {
  if (text_ == other.text_) return 0;
  const auto a = number_of(text_).nanos;
  const auto b = number_of(other.text_).nanos;
  return a < b ? -1 : a > b ? 1 : 0;
}

Quantity Quantity::plus(const Quantity& other) const {
  Quantity out;
  out.text_ = canonical(add(number_of(text_), number_of(other.text_), 1));
  return out;
}

Quantity Quantity::minus(const Quantity& other) const {
  Quantity out;
  out.text_ = canonical(add(number_of(text_), number_of(other.text_), -1));
  return out;
}

Quantity Quantity::rounded_up_to_milli() const {
  const Number number = number_of(text_);
  if (number.nanos % kMilli == 0) return *this;
  Quantity out;
  out.text_ =
      canonical({(number.nanos / kMilli + (number.nanos > 0 ? 1 : -1)) * kMilli, number.format});
  return out;
}

}  // namespace kinglet::schema
