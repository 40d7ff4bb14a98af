// Deadlines for thousands of connections: setting one is a store, and one sleeper watches them all.
//
// Resolution: a deadline is noticed up to kDeadlineStep late, so that an idle server sleeps for
// minutes. Loop only.
#pragma once
#include <functional>
#include <set>

#include "base/clock.h"
#include "base/task_group.h"

namespace kinglet::net {

constexpr Duration kDeadlineStep = std::chrono::milliseconds(500);

class Deadlines {
 public:
  // Sleepers run in `group`, which the caller runs and which must end before this.
  Deadlines(Clock& clock, TaskGroup& group) : clock_(clock), group_(group) {}
  ~Deadlines();

  class Timer {
   public:
    // `expired` runs once per set(), on the loop, and must not destroy a Timer.
    Timer(Deadlines& owner, std::function<void()> expired);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    void set(Duration from_now);
    void clear() { due_ = kNever; }

   private:
    friend class Deadlines;
    static constexpr TimePoint kNever{Duration::max()};
    Deadlines& owner_;
    std::function<void()> expired_;
    TimePoint due_ = kNever;
    Timer *previous_ = nullptr, *next_ = nullptr;
  };

 private:
  void plan(TimePoint due);
  Task<void> sleep_until(TimePoint when);
  void sweep();

  Clock& clock_;
  TaskGroup& group_;
  Timer* first_ = nullptr;
  std::set<TimePoint> planned_;
};

}  // namespace kinglet::net
