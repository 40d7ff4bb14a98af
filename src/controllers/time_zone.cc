#include "controllers/internal/time_zone.h"

#include <algorithm>

namespace kinglet::controllers {
namespace {
constexpr size_t kHeaderBytes = 44;
constexpr int64_t kDay = 24 * 60 * 60;
// Further than clocks go; keeps the arithmetic within 64 bits.
constexpr int64_t kFarthest = int64_t{1} << 40;

// Big-endian numbers, with a check before each read.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::string_view> take(size_t count) {
    if (bytes_.size() < count) return std::nullopt;
    const auto taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  static int64_t number(std::string_view bytes) {
    uint64_t value = !bytes.empty() && (static_cast<uint8_t>(bytes[0]) & 0x80) ? ~uint64_t{0} : 0;
    for (const char c : bytes) value = (value << 8) | static_cast<uint8_t>(c);
    return static_cast<int64_t>(value);
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

struct Counts {
  size_t utc, standard, leap, times, types, chars;
  // Bytes of the data block behind the header, when a time takes `time_bytes`.
  size_t block(size_t time_bytes) const {
    return times * time_bytes + times + types * 6 + chars + leap * (time_bytes + 4) + standard + utc;
  }
};

std::optional<Counts> read_header(Reader& reader, char& version) {
  const auto header = reader.take(kHeaderBytes);
  if (!header || !header->starts_with("TZif")) return std::nullopt;
  version = (*header)[4];
  const auto count = [&](size_t i) {
    return static_cast<size_t>(static_cast<uint32_t>(Reader::number(header->substr(20 + 4 * i, 4))));
  };
  const Counts counts{count(0), count(1), count(2), count(3), count(4), count(5)};
  for (const size_t n : {counts.utc, counts.standard, counts.leap, counts.times, counts.types, counts.chars})
    if (n > kZoneFileBytesMax) return std::nullopt;
  return counts;
}

// --- the rule ---------------------------------------------------------------------------------------------------
bool skip_name(std::string_view& text) {
  size_t end = 0;
  if (text.starts_with('<')) {
    end = text.find('>');
    if (end == std::string_view::npos) return false;
    ++end;
  } else {
    while (end < text.size() && ((text[end] | 0x20) >= 'a' && (text[end] | 0x20) <= 'z')) ++end;
  }
  if (end < 3) return false;
  text.remove_prefix(end);
  return true;
}

std::optional<int> read_number(std::string_view& text) {
  size_t end = 0;
  int value = 0;
  for (; end < text.size() && text[end] >= '0' && text[end] <= '9' && end < 4; ++end) value = value * 10 + (text[end] - '0');
  if (end == 0) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

bool skip(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// "[+-]h[:m[:s]]" in seconds.
std::optional<int64_t> read_clock(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int64_t total = 0, unit = 3600;
  for (int part = 0; part < 3; ++part, unit /= 60) {
    if (part > 0 && !skip(text, ':')) break;
    const auto value = read_number(text);
    if (!value || *value > (part == 0 ? 167 : 59)) return std::nullopt;
    total += *value * unit;
  }
  return negative ? -total : total;
}

std::optional<TimeZone::Change> read_change(std::string_view& text) {
  TimeZone::Change change;
  const auto within = [](std::optional<int> value, int low, int high) { return value && *value >= low && *value <= high; };
  if (skip(text, 'M')) {
    const auto month = read_number(text);
    if (!within(month, 1, 12) || !skip(text, '.')) return std::nullopt;
    const auto week = read_number(text);
    if (!within(week, 1, 5) || !skip(text, '.')) return std::nullopt;
    const auto day = read_number(text);
    if (!within(day, 0, 6)) return std::nullopt;
    change = {TimeZone::Change::Kind::month_week_day, *month, *week, *day};
  } else {
    const bool julian = skip(text, 'J');
    const auto day = read_number(text);
    if (!within(day, julian ? 1 : 0, 365)) return std::nullopt;
    change.kind = julian ? TimeZone::Change::Kind::julian : TimeZone::Change::Kind::zero_based;
    change.day = *day;
  }
  if (skip(text, '/')) {
    const auto clock = read_clock(text);
    if (!clock) return std::nullopt;
    change.local_seconds = *clock;
  }
  return change;
}

bool leap_year(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

// In local seconds since 1970.
int64_t moment_of(const TimeZone::Change& change, int year) {
  using Kind = TimeZone::Change::Kind;
  int64_t day = 0;
  if (change.kind == Kind::month_week_day) {
    const int64_t first = days_of(year, change.month, 1);
    const int weekday = static_cast<int>(((first + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
    day = first + (change.day - weekday + 7) % 7 + (change.week - 1) * 7;
    const int64_t next = change.month == 12 ? days_of(year + 1, 1, 1) : days_of(year, change.month + 1, 1);
    while (day >= next) day -= 7;  // week 5: the last one
  } else {
    day = days_of(year, 1, 1) + change.day;
    if (change.kind == Kind::julian) day += (leap_year(year) && change.day >= 60 ? 0 : -1);  // 29 February has no number
  }
  return day * kDay + change.local_seconds;
}

int64_t offset_by_rule(const TimeZone::Rule& rule, int64_t utc) {
  if (!rule.summer) return rule.standard;
  const int year = civil_of(utc + rule.standard).year;
  const int64_t begins = moment_of(rule.begins, year) - rule.standard;
  const int64_t ends = moment_of(rule.ends, year) - *rule.summer;
  const bool summer = begins < ends ? utc >= begins && utc < ends : utc >= begins || utc < ends;
  return summer ? *rule.summer : rule.standard;
}
}  // namespace

// Source: Howard Hinnant, "chrono-compatible low-level date algorithms": years begin in March.
int64_t days_of(int year, int month, int day) {
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

CivilTime civil_of(int64_t seconds) {
  const int64_t days = (seconds >= 0 ? seconds : seconds - (kDay - 1)) / kDay;
  const auto rest = static_cast<int>(seconds - days * kDay);
  const int64_t z = days + 719468;
  const int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const int64_t day_of_era = z - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto shifted = static_cast<int>((5 * day_of_year + 2) / 153);
  CivilTime time{};
  time.day = static_cast<int>(day_of_year - (153 * shifted + 2) / 5 + 1);
  time.month = shifted < 10 ? shifted + 3 : shifted - 9;
  time.year = static_cast<int>(year_of_era + era * 400 + (time.month <= 2 ? 1 : 0));
  time.hour = rest / 3600;
  time.minute = rest / 60 % 60;
  time.second = rest % 60;
  time.weekday = static_cast<int>(((days + 4) % 7 + 7) % 7);
  return time;
}

Result<TimeZone::Rule> parse_zone_rule(std::string_view text) {
  const Error bad(Code::invalid, "not a rule of a time zone: {}", text.substr(0, 80));
  TimeZone::Rule rule;
  if (!skip_name(text)) return bad;
  const auto west = read_clock(text);
  if (!west) return bad;
  rule.standard = -*west;
  if (text.empty()) return rule;
  if (!skip_name(text)) return bad;
  rule.summer = rule.standard + 3600;
  if (!text.empty() && text.front() != ',') {
    const auto summer = read_clock(text);
    if (!summer) return bad;
    rule.summer = -*summer;
  }
  for (auto* change : {&rule.begins, &rule.ends}) {
    if (!skip(text, ',')) return bad;
    const auto read = read_change(text);
    if (!read) return bad;
    *change = *read;
  }
  if (!text.empty()) return bad;
  return rule;
}

Result<TimeZone> TimeZone::parse(std::string_view file) {
  const Error bad(Code::invalid, "not a time zone file");
  if (file.size() > kZoneFileBytesMax) return bad;
  Reader reader(file);
  char version = 0;
  size_t time_bytes = 4;
  auto counts = read_header(reader, version);
  if (!counts) return bad;
  if (version >= '2') {  // the same again with wider times
    if (!reader.take(counts->block(time_bytes))) return bad;
    counts = read_header(reader, version);
    if (!counts) return bad;
    time_bytes = 8;
  }
  const auto times = reader.take(counts->times * time_bytes);
  const auto kinds = reader.take(counts->times);
  const auto types = reader.take(counts->types * 6);
  if (!times || !kinds || !types || counts->types == 0) return bad;
  if (!reader.take(counts->block(time_bytes) - counts->times * (time_bytes + 1) - counts->types * 6)) return bad;
  const auto offset = [&](size_t type) { return static_cast<int32_t>(Reader::number(types->substr(type * 6, 4))); };
  TimeZone zone;
  zone.first_ = offset(0);
  for (size_t i = 0; i < counts->times; ++i) {
    const size_t type = static_cast<uint8_t>((*kinds)[i]);
    if (type >= counts->types) return bad;
    zone.changes_.push_back({Reader::number(times->substr(i * time_bytes, time_bytes)), offset(type)});
  }
  if (!std::is_sorted(zone.changes_.begin(), zone.changes_.end(), [](auto& a, auto& b) { return a.utc < b.utc; })) return bad;
  auto footer = reader.rest();
  if (time_bytes == 8 && footer.starts_with('\n')) {
    footer = footer.substr(1, footer.find('\n', 1) - 1);
    if (!footer.empty()) {
      KL_TRY_FN(rule, parse_zone_rule(footer));
      zone.rule_ = rule;
    }
  }
  return zone;
}

int64_t TimeZone::offset_at(int64_t utc) const {
  utc = std::clamp(utc, -kFarthest, kFarthest);
  if (changes_.empty() || utc >= changes_.back().utc) {
    if (rule_) return offset_by_rule(*rule_, utc);
    return changes_.empty() ? first_ : changes_.back().offset;
  }
  const auto next = std::upper_bound(changes_.begin(), changes_.end(), utc, [](int64_t t, const Since& s) { return t < s.utc; });
  return next == changes_.begin() ? first_ : std::prev(next)->offset;
}

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '-' ||
           c == '+';
  });
}

}  // namespace kinglet::controllers
