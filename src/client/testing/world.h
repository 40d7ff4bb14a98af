// World: a loop with virtual time, seeded randomness and the fake API, for tests of what runs on them.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task.h"
#include "base/task_group.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/testing/fake_api.h"

namespace kinglet::client::testing {

class World {
 public:
  explicit World(uint64_t seed = 1)
      : random(make_seeded_random(seed)),
        clock(make_sim_clock(WallTime{std::chrono::seconds(1'700'000'000)})),
        metrics(make_metrics()),
        api(*clock, *random),
        informers(api, *clock, *random),
        events(api, *clock, *random, *metrics, "test") {}
  ~World() { stop(); }

  // Runs `task` until the world ends.
  void start(std::string name, Task<void> task) { parts_.add(std::move(name), std::move(task)); }
  void start(std::string name, Task<Result<void>> task) { parts_.add(std::move(name), std::move(task)); }

  // Lets virtual time pass.
  void run_for(Duration time) {
    begin();
    clock->run_until(loop, clock->now() + time);
    KL_ASSERT(!failed, "a part failed: {}", *failed);
  }
  // Runs until `done`, at most `limit` of virtual time; whether it happened.
  bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::seconds(30),
                 Duration step = std::chrono::milliseconds(10)) {
    for (Duration spent{}; spent < limit; spent += step) {
      if (done()) return true;
      run_for(step);
    }
    return done();
  }
  // The result of one task, run to its end.
  template <class T>
  Result<T> wait(Task<Result<T>> task) {
    std::optional<Result<T>> out;
    start("wait", keep(std::move(task), out));
    KL_ASSERT(run_until([&] { return out.has_value(); }, std::chrono::hours(1)), "a task does not end");
    return std::move(*out);
  }
  // Ends everything that runs. The parts must outlive this call.
  void stop() {
    if (!running_) return;
    parts_.cancel();
    for (int i = 0; running_ && i < 1000; ++i) clock->run_until(loop, clock->now());
    KL_ASSERT(!running_, "parts do not unwind");
  }

  boost::asio::io_context loop;
  std::unique_ptr<Random> random;
  std::unique_ptr<SimClock> clock;
  std::unique_ptr<Metrics> metrics;
  FakeApi api;
  Informers informers;
  EventRecorder events;
  std::optional<std::string> failed;

 private:
  template <class T>
  static Task<void> keep(Task<Result<T>> task, std::optional<Result<T>>& out) {
    out.emplace(co_await std::move(task));
  }
  void begin() {
    if (running_) return;
    running_ = true;
    boost::asio::co_spawn(loop, parts_.run(), [this](std::exception_ptr thrown, Result<void> result) {
      running_ = false;
      if (thrown) failed = "exception";
      if (!result) failed = result.error().message();
    });
  }

  TaskGroup parts_{TaskGroup::WhenEmpty::keep_open};
  bool running_ = false;
};

}  // namespace kinglet::client::testing
