#include <charconv>

#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first where one begins another.
constexpr Unit kUnits[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                           {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};

void append_number(std::string& out, uint64_t value, uint64_t unit) {
  out += fmt::format("{}", value / unit);
  uint64_t rest = value % unit;
  if (rest == 0) return;
  std::string digits;
  for (uint64_t scale = unit / 10; rest != 0; scale /= 10) {
    digits += static_cast<char>('0' + rest / scale);
    rest %= scale;
  }
  out += "." + digits;
}

}  // namespace

std::optional<int64_t> parse_go_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return {};
  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (failed != std::errc() || text.front() == '-') return {};
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const Unit* found = nullptr;
    for (const Unit& unit : kUnits)
      if (text.starts_with(unit.name) &&
          (found == nullptr || unit.name.size() > found->name.size()))
        found = &unit;
    if (found == nullptr) return {};
    text.remove_prefix(found->name.size());
    total += number * found->nanoseconds;
  }
  if (!(total < 9.2e18)) return {};
  const auto rounded = static_cast<int64_t>(total + 0.5);
  return negative ? -rounded : rounded;
}

std::string print_go_duration(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  std::string out = nanoseconds < 0 ? "-" : "";
  uint64_t rest =
      nanoseconds < 0 ? 0 - static_cast<uint64_t>(nanoseconds) : static_cast<uint64_t>(nanoseconds);
  constexpr uint64_t kSecond = 1'000'000'000;
  if (rest < kSecond) {
    const auto [unit, name] = rest < 1000 ? std::pair<uint64_t, const char*>(1, "ns")
                              : rest < 1'000'000
                                  ? std::pair<uint64_t, const char*>(1000, "\xc2\xb5s")
                                  : std::pair<uint64_t, const char*>(1'000'000, "ms");
    append_number(out, rest, unit);
    return out + name;
  }
  const uint64_t hours = rest / (3600 * kSecond);
  const uint64_t minutes = rest / (60 * kSecond) % 60;
  if (hours > 0) out += fmt::format("{}h", hours);
  if (hours > 0 || minutes > 0) out += fmt::format("{}m", minutes);
  append_number(out, rest % (60 * kSecond), kSecond);
  return out + "s";
}

}  // namespace kinglet::schema
