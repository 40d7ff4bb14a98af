// For tests: runs one task on a loop of its own choice and gives back what it returned or threw.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "base/clock.h"
#include "base/task.h"

namespace kinglet::testing {

namespace detail {
// What the task leaves; void has no optional: it is kept as a mark.
template <class T>
struct Outcome {
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  std::exception_ptr thrown;
  bool ended = false;
};

template <class T>
Task<void> keep(Task<T> task, std::shared_ptr<Outcome<T>> out) {
  if constexpr (std::is_void_v<T>) {
    co_await std::move(task);
    out->value.emplace(true);
  } else {
    out->value.emplace(co_await std::move(task));
  }
}

template <class T>
std::shared_ptr<Outcome<T>> start(boost::asio::io_context& loop, Task<T> task) {
  auto out = std::make_shared<Outcome<T>>();
  boost::asio::co_spawn(loop, keep<T>(std::move(task), out), [out](std::exception_ptr error) {
    out->thrown = error;
    out->ended = true;
  });
  return out;
}

template <class T>
T take(Outcome<T>& out) {
  if (!out.ended) throw std::runtime_error("the task waits, but nothing will ever happen");
  if (out.thrown) std::rethrow_exception(out.thrown);
  if constexpr (!std::is_void_v<T>) return std::move(*out.value);
}
}  // namespace detail

// Runs the loop until the task has ended. A task that waits for something that cannot happen throws.
template <class T>
T run_task(boost::asio::io_context& loop, Task<T> task) {
  const auto out = detail::start<T>(loop, std::move(task));
  loop.restart();
  while (!out->ended && loop.run_one() > 0) {
  }
  return detail::take(*out);
}

// The same in virtual time, for at most `limit` of it.
template <class T>
T run_task(boost::asio::io_context& loop, SimClock& clock, Task<T> task,
           Duration limit = std::chrono::hours(1)) {
  const auto out = detail::start<T>(loop, std::move(task));
  const TimePoint end = clock.now() + limit;
  while (!out->ended && clock.now() < end)
    clock.run_until(loop, std::min(end, clock.now() + 100ms));
  return detail::take(*out);
}

}  // namespace kinglet::testing
