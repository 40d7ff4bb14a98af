// Worker: one named thread for work that blocks (fsync, hashing). Work goes in as a value and its result
// comes back on the loop as a value; nothing is shared. Jobs run in order. The destructor waits for the
// running job and drops the waiting ones.
#pragma once
#include <functional>
#include <memory>
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
    co_await run_erased([out, job = std::move(job)] { out->emplace(job()); });
    co_return std::move(**out);
  }
  // Posts without waiting; `done` is called on the loop that called post().
  void post(std::function<void()> job);

 private:
  Task<void> run_erased(std::function<void()> job);
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kinglet
