// TaskGroup: owns running coroutines. The only place where a coroutine is spawned.
//
// run() starts what was added and returns when everything it started has ended. The first task that
// returns an error, or throws, cancels the others; run() then returns that error (or rethrows).
// Cancelling run() cancels all tasks, waits for them, and unwinds.
// Tasks added while run() is running start at once; a group with `keep_open` keeps running when empty
// (a server's connections). Loop only. The destructor asserts that nothing is running.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet {

class TaskGroup {
 public:
  enum class WhenEmpty { finish, keep_open };
  explicit TaskGroup(WhenEmpty when_empty = WhenEmpty::finish);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // `name` is for assertion messages. A task whose error must not end the group handles it itself.
  void add(std::string name, Task<void> task);
  void add(std::string name, Task<Result<void>> task);

  Task<Result<void>> run();

  // Asks all tasks to unwind; run() returns success when they have. Idempotent.
  void cancel();
  size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kinglet
