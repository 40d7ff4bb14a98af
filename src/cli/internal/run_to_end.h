#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "base/task.h"
#include "base/task_group.h"
#include "cli/connection.h"

namespace kinglet::cli {

namespace detail {
template <class T>
Task<void> keep(Task<T> task, std::optional<T>& out) {
  out.emplace(co_await std::move(task));
}
// Runs the group on a loop until it ends.
Result<void> run_group(TaskGroup& group);
}  // namespace detail

template <class T>
T run_to_end(Task<T> task) {
  std::optional<T> out;
  TaskGroup group;
  group.add("command", detail::keep<T>(std::move(task), out));
  const auto ended = detail::run_group(group);
  KL_ASSERT(ended && out.has_value(), "the command ended without a result");
  return std::move(*out);
}

}  // namespace kinglet::cli
