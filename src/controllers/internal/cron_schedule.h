// When a CronJob runs: "*/5 * * * mon-fri", "@daily", "@every 90m", as the clocks of a time zone show it. Pure.
// Source: the standard parser of robfig/cron v3, which upstream uses: where clocks jump forward, what falls into the
// gap is left out; where they go back, an hour happens twice.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "controllers/internal/time_zone.h"

namespace kinglet::controllers {

class CronSchedule {
 public:
  // Errors: invalid, with what is wrong.
  static Result<CronSchedule> parse(std::string_view text);

  // The first time after `utc` (seconds since 1970); nullopt: none within five years (30 February).
  std::optional<int64_t> next(int64_t utc, const TimeZone& zone) const;

  struct Missed {
    int64_t last;
    bool many;  // more than kMissedMax
  };
  // The latest time in (`since`, `now`], if any.
  std::optional<Missed> last_between(int64_t since, int64_t now, const TimeZone& zone) const;
  static constexpr int kMissedMax = 100;

 private:
  uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
  bool any_day_ = false, any_weekday_ = false;  // written as "*"
  int64_t every_seconds_ = 0;                   // @every; 0: by the fields
};

}  // namespace kinglet::controllers
