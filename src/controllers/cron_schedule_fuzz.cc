// A time that a schedule names lies behind the one it was asked about, on a full minute, and nothing lies between.
#include "controllers/internal/cron_schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::controllers;
  const auto schedule = CronSchedule::parse({reinterpret_cast<const char*>(data), size});
  if (!schedule) return 0;
  constexpr int64_t kNow = 1'700'000'000;
  const TimeZone utc;
  const auto next = schedule->next(kNow, utc);
  if (!next) return 0;
  KL_ASSERT(*next > kNow, "not in the future");
  KL_ASSERT(schedule->next(*next - 1, utc) >= next || *next % 60 != 0, "a time is found once");
  const auto last = schedule->last_between(kNow, *next, utc);
  KL_ASSERT(last && last->last == *next, "the last one up to the first one is the first one");
  return 0;
}
