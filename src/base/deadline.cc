#include "base/deadline.h"

namespace kinglet::detail {
Task<void> cancel_after(Clock& clock, Duration limit, TaskGroup& group) {
  co_await clock.sleep(limit);
  group.cancel();
}
}  // namespace kinglet::detail
