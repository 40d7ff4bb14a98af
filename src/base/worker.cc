#include "base/worker.h"

#include <pthread.h>

#include <boost/asio/post.hpp>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "base/signal.h"

namespace kinglet {
namespace asio = boost::asio;

namespace {
// One run() on its way: shared by the waiting coroutine, the job on the thread, and the message
// back.
struct Call {
  std::mutex mutex;
  std::optional<asio::any_io_executor>
      executor;  // empty once the caller has gone, and perhaps its loop
  std::exception_ptr thrown;
  bool done = false;  // loop only
  Signal ended;       // loop only
};

// On the thread. The lock is held while posting: the caller cannot leave, and its loop cannot end,
// meanwhile.
void report(const std::shared_ptr<Call>& call) {
  const std::lock_guard lock(call->mutex);
  if (!call->executor) return;
  asio::post(*call->executor, [call] {
    call->done = true;
    call->ended.notify_all();
  });
}
}  // namespace

struct Worker::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> jobs;
  bool stopping = false;
  std::thread thread;

  void serve() {
    for (;;) {
      std::function<void()> job;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return stopping || !jobs.empty(); });
        if (stopping) return;
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      job();
    }
  }
};

Worker::Worker(std::string name) : state_(std::make_unique<State>()) {
  KL_ASSERT(name.size() <= 15, "thread name '{}' is too long", name);
  state_->thread = std::thread([state = state_.get(), name = std::move(name)] {
    pthread_setname_np(pthread_self(), name.c_str());
    state->serve();
  });
}

Worker::~Worker() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_one();
  state_->thread.join();
}

void Worker::post(std::function<void()> job) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->jobs.push_back(std::move(job));
  }
  state_->changed.notify_one();
}

Task<void> Worker::run_erased(std::function<void()> job) {
  const auto call = std::make_shared<Call>();
  call->executor = co_await asio::this_coro::executor;
  struct Leave {
    Call& call;
    ~Leave() {
      const std::lock_guard lock(call.mutex);
      call.executor.reset();
    }
  } leave{*call};
  post([call, job = std::move(job)]() mutable {
    try {
      job();
    } catch (...) {  // carried to the caller, as if it had called the job itself
      call->thrown = std::current_exception();
    }
    job = nullptr;  // what it owned is gone before the caller goes on
    report(call);
  });
  while (!call->done) co_await call->ended.wait();
  if (call->thrown) std::rethrow_exception(call->thrown);
}

}  // namespace kinglet
