// CPU rates from two looks at counters. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace kinglet::node {

// CPU time by whatever uses it (a container's id, a sandbox's, "" for the node), at one moment.
struct UsageSample {
  TimePoint at{};
  std::map<std::string, uint64_t> cpu_ns;
};

// Looks that are closer together say little, looks that are further apart say what was, not what
// is.
constexpr Duration kRateWindowMin = std::chrono::seconds(1),
                   kRateWindowMax = std::chrono::seconds(60);

class UsageRates {
 public:
  // Whether a look at `now` would give rates; else look twice, kRateWindowMin apart.
  bool can_rate(TimePoint now) const;
  void add(UsageSample sample);
  // Of the last two looks. nullopt: it was not there at both.
  std::optional<uint64_t> nano_cores(const std::string& who) const;
  Duration window() const;

 private:
  std::optional<UsageSample> before_, newest_;
};

}  // namespace kinglet::node
