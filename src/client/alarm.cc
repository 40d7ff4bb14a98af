#include "client/alarm.h"

#include "base/deadline.h"
#include "base/task.h"

namespace kinglet::client {

void Alarm::set(TimePoint when) {
  if (due_ && *due_ <= when) return;
  due_ = when;
  changed_.notify_all();
}

Task<Result<void>> Alarm::changed() {
  co_await changed_.wait();
  co_return Result<void>();
}

Task<void> Alarm::run(std::function<void()> ring) {
  for (;;) {
    if (!due_) {
      co_await changed_.wait();
    } else if (const auto now = clock_.now(); *due_ > now) {
      const auto woken = co_await with_deadline(clock_, *due_ - now, changed());
      (void)woken;  // either way the loop looks at the time again
    } else {
      due_.reset();
      ring();
    }
  }
}

}  // namespace kinglet::client
