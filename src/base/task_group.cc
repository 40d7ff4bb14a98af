#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <list>
#include <optional>
#include <vector>

#include "base/signal.h"
#include "base/task.h"

namespace kinglet {
namespace asio = boost::asio;

namespace {
Task<Result<void>> as_result(Task<void> task) {
  co_await std::move(task);
  co_return Result<void>();
}

bool is_cancellation(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}
}  // namespace

struct TaskGroup::State : std::enable_shared_from_this<TaskGroup::State> {
  struct Child {
    std::string name;
    asio::cancellation_signal cancel;
    bool ended = false;
  };
  using Children = std::list<std::shared_ptr<Child>>;
  WhenEmpty when_empty;
  std::vector<std::pair<std::string, Task<Result<void>>>> pending;
  Children children;
  std::optional<asio::any_io_executor> executor;  // set while run() runs
  bool cancelled = false;
  std::optional<Error> failure;
  std::exception_ptr thrown;
  Signal ended;

  void start(std::string name, Task<Result<void>> task) {
    const auto here = children.insert(children.end(), std::make_shared<Child>());
    (*here)->name = std::move(name);
    auto self = shared_from_this();
    const auto slot = (*here)->cancel.slot();
    // The task may run, and even end, inside this call.
    asio::co_spawn(*executor, std::move(task),
                   asio::bind_cancellation_slot(
                       slot, [self, here](std::exception_ptr error, Result<void> result) {
                         (*here)->ended = true;
                         self->children.erase(here);
                         self->finished(error, std::move(result));
                       }));
  }

  void finished(const std::exception_ptr& error, Result<void> result) {
    if (error && !is_cancellation(error)) {
      if (!thrown) thrown = error;
      cancel();
    } else if (!error && !result) {
      if (!failure && !cancelled) failure = std::move(result.error());
      cancel();
    }
    ended.notify_all();
  }

  void cancel() {
    if (cancelled) return;
    cancelled = true;
    pending.clear();
    if (executor) {
      // Posted: a child may cancel its own group, and must not be resumed inside its own frame.
      asio::post(*executor, [self = shared_from_this()] { self->emit(); });
    }
    ended.notify_all();
  }

  void emit() {
    // Emitting may end a child at once, which takes it off the list, and its signal must outlive
    // the call.
    const std::vector<std::shared_ptr<Child>> now(children.begin(), children.end());
    for (const auto& child : now)
      if (!child->ended) child->cancel.emit(asio::cancellation_type::terminal);
  }
};

TaskGroup::TaskGroup(WhenEmpty when_empty) : state_(std::make_shared<State>()) {
  state_->when_empty = when_empty;
}

TaskGroup::~TaskGroup() {
  KL_ASSERT(state_->children.empty(), "task group destroyed while '{}' runs",
            state_->children.empty() ? "" : state_->children.front()->name);
}

void TaskGroup::add(std::string name, Task<Result<void>> task) {
  if (state_->cancelled) return;  // the task is lazy: dropping it starts nothing
  if (state_->executor)
    state_->start(std::move(name), std::move(task));
  else
    state_->pending.emplace_back(std::move(name), std::move(task));
}

void TaskGroup::add(std::string name, Task<void> task) {
  add(std::move(name), as_result(std::move(task)));
}

void TaskGroup::cancel() { state_->cancel(); }
size_t TaskGroup::running() const { return state_->children.size(); }

Task<Result<void>> TaskGroup::run() {
  const auto state = state_;
  KL_ASSERT(!state->executor, "task group run twice at once");
  state->executor = co_await asio::this_coro::executor;
  auto pending = std::move(state->pending);
  state->pending.clear();
  for (auto& [name, task] : pending) {
    if (state->cancelled) break;  // an earlier one failed at once: the rest never starts
    state->start(std::move(name), std::move(task));
  }
  pending.clear();

  bool unwinding = false;
  for (;;) {
    const bool idle = state->children.empty();
    if (idle && (state->cancelled || state->when_empty == WhenEmpty::finish)) break;
    std::exception_ptr interrupted;
    try {
      co_await state->ended.wait();
    } catch (...) {
      interrupted = std::current_exception();
    }
    if (interrupted) {
      // We are cancelled: the children must end before we may unwind, so no further cancellation
      // here.
      unwinding = true;
      co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
      state->cancel();
    }
  }
  state->executor.reset();
  if (state->thrown) std::rethrow_exception(state->thrown);
  if (unwinding) throw boost::system::system_error(asio::error::operation_aborted);
  if (state->failure) co_return std::move(*state->failure);
  co_return Result<void>();
}

}  // namespace kinglet
