// Alarm: one pending wake-up that may be moved. Costs a timer only while one is set.
#pragma once
#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/signal.h"

namespace kinglet::client {

class Alarm {
 public:
  explicit Alarm(Clock& clock) : clock_(clock) {}
  // Rings at `when`, or at the earlier time that is already set.
  void set(TimePoint when);
  // Calls `ring` each time the alarm is due, until cancelled. `ring` may set it again.
  Task<void> run(std::function<void()> ring);

 private:
  Task<Result<void>> changed();
  Clock& clock_;
  Signal changed_;
  std::optional<TimePoint> due_;
};

}  // namespace kinglet::client
