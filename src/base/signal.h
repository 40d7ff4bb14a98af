// Signal: coroutines wait, somebody notifies. Level free: a notify with no waiter is lost, so check the
// condition first and wait in a loop. Loop only. Cancelling a waiter unwinds it and harms no other.
#pragma once
#include <memory>

#include "base/task_fwd.h"

namespace kinglet {

class Signal {
 public:
  Signal();
  ~Signal();  // waiters are woken
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  Task<void> wait();
  void notify_all();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kinglet
