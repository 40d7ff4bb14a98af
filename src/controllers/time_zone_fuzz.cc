// Whatever the file says: clocks are off by less than a few days, and asking again gives the same answer.
#include "controllers/internal/time_zone.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::controllers;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto rule = parse_zone_rule(text))
    KL_ASSERT(rule->standard > -700'000 && rule->standard < 700'000, "an offset of more than a week");
  const auto zone = TimeZone::parse(text);
  if (!zone) return 0;
  for (const int64_t when : {int64_t{-1} << 62, int64_t{0}, int64_t{1'700'000'000}, int64_t{1} << 62})
    KL_ASSERT(zone->offset_at(when) == zone->offset_at(when), "two answers");
  return 0;
}
