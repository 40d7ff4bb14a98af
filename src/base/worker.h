// Worker: one named thread for work that blocks (fsync, hashing). Work goes in as a value and its result
// comes back on the loop as a value; nothing is shared. Jobs run in order. An exception comes back too.
// The destructor waits for the running job and drops the waiting ones, whose callers must have unwound before.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/task.h"

namespace kinglet {

class Worker {
 public:
  explicit Worker(std::string name);  // 15 characters at most (a Linux thread name)
  ~Worker();
  // Runs `job` on the thread. A caller that is cancelled returns at once; the job still runs to its end,
  // so it must own everything it touches.
  template <class T>
  Task<T> run(std::function<T()> job) {
    auto out = std::make_shared<std::optional<T>>();
    std::function<void()> erased = [out, job = std::move(job)] { out->emplace(job()); };
    co_await run_erased(std::move(erased));
    co_return std::move(**out);
  }
  // Queues the job and returns; nobody learns when it has run. From any thread.
  void post(std::function<void()> job);

 private:
  Task<void> run_erased(std::function<void()> job);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kinglet
