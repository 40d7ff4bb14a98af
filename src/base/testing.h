// For tests: runs one task on a loop of its own choice and gives back what it returned or threw.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <stdexcept>

#include "base/clock.h"
#include "base/task.h"

namespace kinglet::testing {

namespace detail {
// void has no optional: it is kept as a mark.
template <class T>
using Kept = std::optional<std::conditional_t<std::is_void_v<T>, bool, T>>;

template <class T>
void spawn(boost::asio::io_context& loop, Task<T> task, Kept<T>& out, std::exception_ptr& thrown) {
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) {
      thrown = error;
      out.emplace(true);
    });
  } else {
    // Awaitables of types without a default constructor end as optionals here.
    auto wrap = [](Task<T> inner, Kept<T>& kept) -> Task<void> {
      kept.emplace(co_await std::move(inner));
    };
    boost::asio::co_spawn(loop, wrap(std::move(task), out),
                          [&](std::exception_ptr error) { thrown = error; });
  }
}
}  // namespace detail

// Runs the loop until the task has ended. A task that waits for something that cannot happen
// throws.
template <class T>
T run_task(boost::asio::io_context& loop, Task<T> task) {
  detail::Kept<T> out;
  std::exception_ptr thrown;
  detail::spawn<T>(loop, std::move(task), out, thrown);
  loop.restart();
  while (!out && !thrown && loop.run_one() > 0) {
  }
  if (thrown) std::rethrow_exception(thrown);
  if (!out) throw std::runtime_error("the task waits, but nothing will ever happen");
  if constexpr (!std::is_void_v<T>) return std::move(*out);
}

// The same in virtual time, for at most `limit` of it.
template <class T>
T run_task(boost::asio::io_context& loop, SimClock& clock, Task<T> task,
           Duration limit = std::chrono::hours(1)) {
  detail::Kept<T> out;
  std::exception_ptr thrown;
  detail::spawn<T>(loop, std::move(task), out, thrown);
  const TimePoint end = clock.now() + limit;
  while (!out && !thrown && clock.now() < end)
    clock.run_until(loop, std::min(end, clock.now() + 100ms));
  if (thrown) std::rethrow_exception(thrown);
  if (!out) throw std::runtime_error("the task has not ended in time");
  if constexpr (!std::is_void_v<T>) return std::move(*out);
}

}  // namespace kinglet::testing
