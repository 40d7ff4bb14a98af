// Backoff: growing pauses between retries, each drawn from [half, whole] so that many clients do not
// come back in step.
#pragma once
#include <algorithm>

#include "base/clock.h"
#include "base/random.h"

namespace kinglet::client {

class Backoff {
 public:
  Backoff(Random& random, Duration first, Duration max) : random_(random), first_(first), max_(max) {}
  Duration next() { return jittered(random_, pause(failures_++)); }
  void reset() { failures_ = 0; }
  Duration pause(int failures) const {
    return failures >= 30 ? max_ : std::min(max_, first_ * (int64_t{1} << failures));
  }
  static Duration jittered(Random& random, Duration pause) {
    return pause / 2 + Duration(static_cast<int64_t>(static_cast<double>(pause.count() / 2) * random.unit()));
  }

 private:
  Random& random_;
  Duration first_, max_;
  int failures_ = 0;
};

}  // namespace kinglet::client
