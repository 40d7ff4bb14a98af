// A time zone as the system's files describe it: what the clocks there show. Pure.
// Source: RFC 8536 (TZif) with its POSIX rule for the time behind the last listed change.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::controllers {

// Files are some KB; whatever is larger is none.
constexpr size_t kZoneFileBytesMax = 256 << 10;

class TimeZone {
 public:
  TimeZone() = default;  // UTC
  // Errors: invalid.
  static Result<TimeZone> parse(std::string_view file);

  // Seconds to add to UTC (seconds since 1970) for the local time.
  int64_t offset_at(int64_t utc) const;

  // One of the two changes of a year, from the rule.
  struct Change {
    enum class Kind : uint8_t { month_week_day, julian, zero_based } kind = Kind::month_week_day;
    int month = 1, week = 1, day = 0;    // `day` alone for the other kinds
    int64_t local_seconds = 2 * 60 * 60;  // after midnight, may be negative or beyond a day
  };
  struct Rule {
    int64_t standard = 0;
    std::optional<int64_t> summer;
    Change begins, ends;
  };

 private:
  struct Since {
    int64_t utc;
    int32_t offset;
  };
  std::vector<Since> changes_;  // ascending
  int64_t first_ = 0;           // before them
  std::optional<Rule> rule_;
};

// "CET-1CEST,M3.5.0,M10.5.0/3". Errors: invalid.
Result<TimeZone::Rule> parse_zone_rule(std::string_view text);

// Names such as "Europe/Berlin"; nothing that could leave the folder of zones.
bool is_zone_name(std::string_view name);

struct CivilTime {
  int year, month, day, hour, minute, second, weekday;  // month and day from 1; Sunday is 0
};
CivilTime civil_of(int64_t local_seconds);
int64_t days_of(int year, int month, int day);  // since 1970-01-01

}  // namespace kinglet::controllers
