#include "controllers/internal/cron_schedule.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>

namespace kinglet::controllers {
namespace {
constexpr int64_t kHour = 3600, kDay = 24 * kHour;
constexpr int kYearsMax = 5;

struct Field {
  const char* name;
  int low, high;
  const char* names;  // three letters each, from `low`
};
constexpr Field kFields[] = {{"minute", 0, 59, ""},
                             {"hour", 0, 23, ""},
                             {"day of month", 1, 31, ""},
                             {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
                             {"day of week", 0, 6, "sunmontuewedthufrisat"}};

std::optional<int> value_of(const Field& field, std::string_view text) {
  if (text.size() == 3 && std::isalpha(static_cast<unsigned char>(text[0]))) {
    std::string lower(text);
    for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string_view names = field.names;
    const size_t at = names.find(lower);
    if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
    return field.low + static_cast<int>(at / 3);
  }
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "*", "5", "1-5", "*/10", "3/7", "1-30/2" as bits.
std::optional<uint64_t> bits_of_range(const Field& field, std::string_view text, bool& star) {
  int step = 1;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || step <= 0) return std::nullopt;
    text = text.substr(0, slash);
  }
  int first = field.low, last = field.high;
  if (text == "*" || text == "?") {
    star = star || step == 1;
  } else {
    const size_t dash = text.find('-');
    const auto from = value_of(field, text.substr(0, dash));
    if (!from) return std::nullopt;
    first = *from;
    if (dash != std::string_view::npos) {
      const auto to = value_of(field, text.substr(dash + 1));
      if (!to) return std::nullopt;
      last = *to;
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (first < field.low || last > field.high || first > last) return std::nullopt;
  uint64_t bits = 0;
  for (int i = first; i <= last; i += std::min(step, 64)) bits |= uint64_t{1} << i;
  return bits;
}

Result<uint64_t> bits_of(const Field& field, std::string_view text, bool& star) {
  uint64_t bits = 0;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    const auto some = bits_of_range(field, part, star);
    if (!some) return Error(Code::invalid, "failed to parse {} {}", field.name, part);
    bits |= *some;
  }
  if (bits == 0) return Error(Code::invalid, "empty {}", field.name);
  return bits;
}

// "1h30m10s"; at least a second.
std::optional<int64_t> seconds_of(std::string_view text) {
  double total = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const size_t end = std::min(text.find_first_of("0123456789.", digits), text.size());
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + digits, value);
    if (digits == 0 || read.ec != std::errc() || read.ptr != text.data() + digits) return std::nullopt;
    const auto unit = text.substr(digits, end - digits);
    const double seconds = unit == "h" ? 3600 : unit == "m" ? 60 : unit == "s" ? 1 : unit == "ms" ? 1e-3 : unit == "us" ? 1e-6 : unit == "ns" ? 1e-9 : -1;
    if (seconds < 0) return std::nullopt;
    total += value * seconds;
    text.remove_prefix(end);
  }
  constexpr double kLongest = 10.0 * 366 * 24 * 3600;
  return std::max<int64_t>(1, static_cast<int64_t>(std::min(total, kLongest)));
}

const char* named(std::string_view name) {
  if (name == "@yearly" || name == "@annually") return "0 0 1 1 *";
  if (name == "@monthly") return "0 0 1 * *";
  if (name == "@weekly") return "0 0 * * 0";
  if (name == "@daily" || name == "@midnight") return "0 0 * * *";
  if (name == "@hourly") return "0 * * * *";
  return nullptr;
}

bool has(uint64_t bits, int i) { return (bits >> i & 1) != 0; }
}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view text) {
  CronSchedule schedule;
  if (text.starts_with("@every ")) {
    const auto seconds = text.size() > 7 ? seconds_of(text.substr(7)) : std::nullopt;
    if (!seconds) return Error(Code::invalid, "failed to parse duration {}", text);
    schedule.every_seconds_ = *seconds;
    return schedule;
  }
  if (text.starts_with('@')) {
    const char* fields = named(text);
    if (!fields) return Error(Code::invalid, "unrecognized descriptor: {}", text);
    text = fields;
  }
  uint64_t* const bits[] = {&schedule.minutes_, &schedule.hours_, &schedule.days_, &schedule.months_, &schedule.weekdays_};
  bool ignored = false;
  bool* const stars[] = {&ignored, &ignored, &schedule.any_day_, &ignored, &schedule.any_weekday_};
  size_t count = 0;
  for (size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string_view::npos; ++count) {
    const size_t end = std::min(text.find_first_of(" \t", at), text.size());
    if (count < std::size(kFields)) {
      KL_TRY_FN(some, bits_of(kFields[count], text.substr(at, end - at), *stars[count]));
      *bits[count] = some;
    }
    at = end;
  }
  if (count != std::size(kFields)) return Error(Code::invalid, "expected exactly 5 fields, found {}", count);
  return schedule;
}

std::optional<int64_t> CronSchedule::next(int64_t utc, const TimeZone& zone) const {
  if (every_seconds_ > 0) return utc + every_seconds_;
  const auto local = [&](int64_t t) { return civil_of(t + zone.offset_at(t)); };
  int64_t t = utc - ((utc % 60) + 60) % 60 + 60;
  const int last_year = local(t).year + kYearsMax;
  // From coarse to fine: each step goes to the beginning of the next month, day, hour or minute of that clock.
  for (;;) {
    const auto at = local(t);
    if (at.year > last_year) return std::nullopt;
    const bool by_day = has(days_, at.day), by_weekday = has(weekdays_, at.weekday);
    const bool day = any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
    if (!has(months_, at.month) || !day) {
      const int64_t midnight = t + kDay - at.hour * kHour - at.minute * 60 - at.second;
      // A day may have 23 or 25 hours: then this is an hour off.
      const auto landed = local(midnight);
      t = landed.hour > 12 ? midnight + (24 - landed.hour) * kHour : midnight - landed.hour * kHour;
      if (local(t).day == at.day) t = midnight;  // that midnight does not exist
      continue;
    }
    if (!has(hours_, at.hour)) {
      t += kHour - at.minute * 60 - at.second;
      continue;
    }
    if (!has(minutes_, at.minute)) {
      t += 60 - at.second;
      continue;
    }
    return t;
  }
}

std::optional<CronSchedule::Missed> CronSchedule::last_between(int64_t since, int64_t now, const TimeZone& zone) const {
  if (every_seconds_ > 0) {
    const int64_t count = now > since ? (now - since) / every_seconds_ : 0;
    if (count == 0) return std::nullopt;
    return Missed{since + count * every_seconds_, count > kMissedMax};
  }
  auto at = next(since, zone);
  if (!at || *at > now) return std::nullopt;
  Missed missed{*at, false};
  for (int count = 1; at && *at <= now; at = next(*at, zone)) {
    missed.last = *at;
    if (++count > kMissedMax + 1) {
      missed.many = true;
      break;
    }
  }
  if (!missed.many) return missed;
  // Far behind: look back from now, further each time, so that a month of minutes costs no more than a minute.
  int64_t from = missed.last;
  for (int64_t back = 120; now - back > missed.last; back *= 8) {
    const auto found = next(now - back, zone);
    if (!found || *found > now) continue;
    from = now - back;
    break;
  }
  for (auto found = next(from, zone); found && *found <= now; found = next(*found, zone)) missed.last = *found;
  return missed;
}

}  // namespace kinglet::controllers
