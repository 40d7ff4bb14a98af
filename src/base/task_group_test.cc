#include "base/task_group.h"

#include <gtest/gtest.h>

#include "base/deadline.h"
#include "base/signal.h"
#include "base/testing.h"

namespace kinglet {
namespace {
namespace asio = boost::asio;
using testing::run_task;

struct World {
  asio::io_context loop;
  std::unique_ptr<SimClock> clock = make_sim_clock(WallTime{});
  std::vector<std::string> trace;
  template <class T>
  T run(Task<T> task) {
    return run_task(loop, *clock, std::move(task));
  }
};

Task<Result<void>> succeed() { co_return Result<void>(); }
Task<Result<void>> fail(std::string text) { co_return Error(Code::internal, text); }
Task<void> throw_now() {
  throw std::runtime_error("bug");
  co_return;
}
Task<void> note(World& world, std::string text) {
  world.trace.push_back(text);
  co_return;
}
// Sleeps for an hour; notes how it ended.
Task<void> sleeper(World& world, std::string name) {
  struct Note {
    World& world;
    std::string name;
    bool finished = false;
    ~Note() { world.trace.push_back(name + (finished ? " finished" : " unwound")); }
  } note{world, name};
  co_await world.clock->sleep(1h);
  note.finished = true;
}
Task<Result<void>> fail_later(World& world, Duration after) {
  co_await world.clock->sleep(after);
  co_return Error(Code::conflict, "late");
}
Task<Result<void>> run_group(TaskGroup& group) { co_return co_await group.run(); }
Task<void> cancel_later(World& world, TaskGroup& group, Duration after) {
  co_await world.clock->sleep(after);
  group.cancel();
}
using Trace = std::vector<std::string>;

TEST(TaskGroup, returns_when_all_tasks_have_ended) {
  World world;
  TaskGroup group;
  group.add("a", note(world, "a"));
  group.add("b", sleeper(world, "b"));
  group.add("c", succeed());
  EXPECT_TRUE(world.run(run_group(group)));
  EXPECT_EQ(world.trace, (Trace{"a", "b finished"}));
  EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, an_empty_group_returns_at_once) {
  World world;
  TaskGroup group;
  EXPECT_TRUE(world.run(run_group(group)));
}

TEST(TaskGroup, the_first_error_cancels_the_others_and_is_returned) {
  World world;
  TaskGroup group;
  group.add("sleeper", sleeper(world, "sleeper"));
  group.add("failure", fail_later(world, 1s));
  const auto ended = world.run(run_group(group));
  EXPECT_TRUE(ended.is(Code::conflict));
  EXPECT_EQ(world.trace, (Trace{"sleeper unwound"}));
  EXPECT_LT(world.clock->now().since_start, 1min);
}

TEST(TaskGroup, a_task_that_fails_while_starting_keeps_later_ones_from_starting) {
  World world;
  TaskGroup group;
  group.add("sleeper", sleeper(world, "sleeper"));
  group.add("failure", fail("at once"));
  group.add("late", note(world, "late"));
  EXPECT_TRUE(world.run(run_group(group)).is(Code::internal));
  // Whether the late one had started or not, it has ended; the sleeper was unwound.
  EXPECT_EQ(world.trace.back(), "sleeper unwound");
}

TEST(TaskGroup, an_exception_cancels_the_others_and_is_rethrown) {
  World world;
  TaskGroup group;
  group.add("sleeper", sleeper(world, "sleeper"));
  group.add("bug", throw_now());
  EXPECT_THROW((void)world.run(run_group(group)), std::runtime_error);
  EXPECT_EQ(world.trace, (Trace{"sleeper unwound"}));
}

TEST(TaskGroup, cancelled_before_it_runs_it_starts_nothing) {
  World world;
  TaskGroup group;
  group.add("a", note(world, "a"));
  group.cancel();
  group.add("b", note(world, "b"));
  EXPECT_TRUE(world.run(run_group(group)));
  EXPECT_TRUE(world.trace.empty());
}

TEST(TaskGroup, cancelled_from_outside_it_returns_success_and_takes_no_more_tasks) {
  World world;
  TaskGroup group(TaskGroup::WhenEmpty::keep_open);
  group.add("sleeper", sleeper(world, "sleeper"));
  TaskGroup both;
  both.add("group", run_group(group));
  both.add("cancel", cancel_later(world, group, 1s));
  EXPECT_TRUE(world.run(run_group(both)));
  group.add("late", note(world, "late"));
  EXPECT_EQ(world.trace, (Trace{"sleeper unwound"}));
}

Task<void> add_later(World& world, TaskGroup& group) {
  co_await world.clock->sleep(1s);
  group.add("added", note(world, "added"));
  co_await world.clock->sleep(1s);
  group.cancel();
}
TEST(TaskGroup, an_open_group_starts_what_is_added_while_it_runs) {
  World world;
  TaskGroup group(TaskGroup::WhenEmpty::keep_open);
  TaskGroup both;
  both.add("group", run_group(group));
  both.add("add", add_later(world, group));
  EXPECT_TRUE(world.run(run_group(both)));
  EXPECT_EQ(world.trace, (Trace{"added"}));
}

Task<Result<void>> nested(World& world) {
  TaskGroup inner;
  inner.add("one", sleeper(world, "one"));
  inner.add("two", sleeper(world, "two"));
  co_return co_await inner.run();
}
TEST(TaskGroup, cancellation_reaches_nested_groups_before_the_outer_one_returns) {
  World world;
  TaskGroup outer;
  outer.add("nested", nested(world));
  outer.add("cancel", cancel_later(world, outer, 1s));
  EXPECT_TRUE(world.run(run_group(outer)));
  EXPECT_EQ(world.trace, (Trace{"one unwound", "two unwound"}));
}

Task<void> cancel_itself(TaskGroup& group, World& world) {
  group.cancel();
  co_await world.clock->sleep(1h);
  world.trace.push_back("survived");
}
TEST(TaskGroup, a_task_may_cancel_its_own_group) {
  World world;
  TaskGroup group;
  group.add("self", cancel_itself(group, world));
  EXPECT_TRUE(world.run(run_group(group)));
  EXPECT_TRUE(world.trace.empty());
}

TEST(TaskGroup, many_tasks_end_on_one_cancellation) {
  World world;
  TaskGroup group;
  for (int i = 0; i < 5000; ++i) group.add("sleeper", sleeper(world, "s"));
  group.add("cancel", cancel_later(world, group, 1s));
  EXPECT_TRUE(world.run(run_group(group)));
  EXPECT_EQ(world.trace.size(), 5000u);
}

Task<Result<int>> answer_after(Clock& clock, Duration after) {
  co_await clock.sleep(after);
  co_return 42;
}
TEST(WithDeadline, gives_the_result_or_a_timeout) {
  World world;
  auto soon = world.run(with_deadline(*world.clock, 2s, answer_after(*world.clock, 1s)));
  ASSERT_TRUE(soon);
  EXPECT_EQ(*soon, 42);
  auto late = world.run(with_deadline(*world.clock, 2s, answer_after(*world.clock, 1h)));
  EXPECT_TRUE(late.is(Code::timeout));
  auto error = world.run(with_deadline(*world.clock, 2s, fail("no")));
  EXPECT_TRUE(error.is(Code::internal));
  EXPECT_LT(world.clock->now().since_start, 1min);
}

Task<void> wait_for(World& world, Signal& signal, const bool& flag, std::string name) {
  while (!flag) co_await signal.wait();
  world.trace.push_back(name);
}
Task<void> set_later(World& world, Signal& signal, bool& flag) {
  co_await world.clock->sleep(1s);
  signal.notify_all();  // nothing has changed: the waiters go on waiting
  co_await world.clock->sleep(1s);
  flag = true;
  signal.notify_all();
}
TEST(Signal, wakes_all_waiters_in_order) {
  World world;
  Signal signal;
  bool flag = false;
  TaskGroup group;
  group.add("a", wait_for(world, signal, flag, "a"));
  group.add("b", wait_for(world, signal, flag, "b"));
  group.add("set", set_later(world, signal, flag));
  EXPECT_TRUE(world.run(run_group(group)));
  EXPECT_EQ(world.trace, (Trace{"a", "b"}));
}

Task<void> wait_once(Signal& signal) { co_await signal.wait(); }
Task<void> destroy_later(World& world, std::unique_ptr<Signal>& signal) {
  co_await world.clock->sleep(1s);
  signal.reset();
}
TEST(Signal, its_destruction_wakes_the_waiters) {
  World world;
  auto signal = std::make_unique<Signal>();
  TaskGroup group;
  group.add("wait", wait_once(*signal));
  group.add("destroy", destroy_later(world, signal));
  EXPECT_TRUE(world.run(run_group(group)));
}

}  // namespace
}  // namespace kinglet
