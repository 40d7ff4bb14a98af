#include "net/internal/deadlines.h"

#include "base/task.h"

namespace kinglet::net {

Deadlines::~Deadlines() { KL_ASSERT(!first_, "a timer outlives its deadlines"); }

Deadlines::Timer::Timer(Deadlines& owner, std::function<void()> expired)
    : owner_(owner), expired_(std::move(expired)), next_(owner.first_) {
  if (next_) next_->previous_ = this;
  owner_.first_ = this;
}

Deadlines::Timer::~Timer() {
  (previous_ ? previous_->next_ : owner_.first_) = next_;
  if (next_) next_->previous_ = previous_;
}

void Deadlines::Timer::set(Duration from_now) {
  due_ = owner_.clock_.now() + from_now;
  owner_.plan(due_);
}

void Deadlines::plan(TimePoint due) {
  // A sleeper that wakes early looks again, so only an earlier deadline than all planned ones needs
  // another; the step keeps their number small.
  const TimePoint when = std::max(due, clock_.now() + kDeadlineStep);
  if (!planned_.empty() && *planned_.begin() <= when + kDeadlineStep) return;
  planned_.insert(when);
  group_.add("deadlines", sleep_until(when));
}

Task<void> Deadlines::sleep_until(TimePoint when) {
  co_await clock_.sleep(when - clock_.now());
  planned_.erase(when);
  sweep();
}

void Deadlines::sweep() {
  const TimePoint now = clock_.now();
  for (Timer* timer = first_; timer; timer = timer->next_) {
    if (timer->due_ > now) continue;
    timer->due_ = Timer::kNever;
    timer->expired_();
  }
  TimePoint earliest = Timer::kNever;
  for (Timer* timer = first_; timer; timer = timer->next_)
    earliest = std::min(earliest, timer->due_);
  if (earliest != Timer::kNever) plan(earliest);
}

}  // namespace kinglet::net
