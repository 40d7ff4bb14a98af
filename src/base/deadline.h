// with_deadline: the task's result, or a `timeout` error once `limit` has passed. The task is cancelled and
// has unwound when this returns.
#pragma once
#include "base/clock.h"
#include "base/task.h"
#include "base/task_group.h"

namespace kinglet {

namespace detail {
template <class T>
Task<void> keep_result(TaskGroup& group, Task<Result<T>> task, std::optional<Result<T>>& out) {
  out.emplace(co_await std::move(task));
  group.cancel();
}
Task<void> cancel_after(Clock& clock, Duration limit, TaskGroup& group);
}  // namespace detail

template <class T>
Task<Result<T>> with_deadline(Clock& clock, Duration limit, Task<Result<T>> task) {
  std::optional<Result<T>> out;
  TaskGroup group;
  group.add("deadline task", detail::keep_result<T>(group, std::move(task), out));
  group.add("deadline", detail::cancel_after(clock, limit, group));
  auto ended = co_await group.run();
  if (out) co_return std::move(*out);
  co_return Error(Code::timeout, "no answer within {} ms",
                  std::chrono::duration_cast<std::chrono::milliseconds>(limit).count());
}

}  // namespace kinglet
