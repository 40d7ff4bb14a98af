#include "client/work_queue.h"

#include <gtest/gtest.h>

#include "client/testing/world.h"

namespace kinglet::client {
namespace {
using testing::World;

struct Bench {
  World world;
  WorkQueue queue{*world.clock, *world.random, *world.metrics, {.name = "test"}};
  std::vector<std::string> got;
  bool auto_done = true;

  Task<void> drain() {
    for (;;) {
      const auto key = co_await queue.get();
      got.push_back(key.text());
      if (auto_done) queue.done(key);
    }
  }
  void start() {
    world.start("queue", queue.run());
    world.start("drain", drain());
  }
  ~Bench() { world.stop(); }
};

TEST(WorkQueue, hands_out_each_key_once_however_often_it_was_added) {
  Bench b;
  b.start();
  b.queue.add({"a", "x"});
  b.queue.add({"a", "x"});
  b.queue.add({"a", "y"});
  b.world.run_for(1s);
  EXPECT_EQ(b.got, (std::vector<std::string>{"a/x", "a/y"}));
}

TEST(WorkQueue, a_key_added_while_worked_on_comes_back_after_done) {
  Bench b;
  b.auto_done = false;
  b.start();
  const ObjectKey key{"", "x"};
  b.queue.add(key);
  b.world.run_for(1s);
  b.queue.add(key);
  b.world.run_for(1s);
  EXPECT_EQ(b.got.size(), 1u) << "never two workers at a time";
  b.queue.done(key);
  b.world.run_for(1s);
  EXPECT_EQ(b.got.size(), 2u);
}

TEST(WorkQueue, delayed_keys_come_in_the_order_of_their_times) {
  Bench b;
  b.start();
  b.queue.add_after({"", "late"}, 20s);
  b.queue.add_after({"", "soon"}, 10s);
  b.queue.add_after({"", "moved"}, 5s);
  b.queue.add_after({"", "moved"}, 30s);
  b.queue.add_after({"", "dropped"}, 1s);
  b.queue.forget_delayed({"", "dropped"});
  b.world.run_for(9s);
  EXPECT_TRUE(b.got.empty());
  b.world.run_for(60s);
  EXPECT_EQ(b.got, (std::vector<std::string>{"soon", "late", "moved"}));
}

TEST(WorkQueue, failures_wait_longer_each_time_until_forgotten) {
  Bench b;
  b.start();
  const ObjectKey key{"", "x"};
  for (int i = 0; i < 12; ++i) {
    b.queue.add_rate_limited(key);
    b.world.run_for(2min);
    EXPECT_EQ(b.got.size(), static_cast<size_t>(i + 1));
  }
  b.queue.add_rate_limited(key);
  b.world.run_for(2s);
  EXPECT_EQ(b.got.size(), 12u) << "the thirteenth pause is longer than two seconds";
  b.world.run_for(2min);
  b.queue.forget_failures(key);
  b.queue.add_rate_limited(key);
  b.world.run_for(5ms);
  EXPECT_EQ(b.got.size(), 14u);
}

}  // namespace
}  // namespace kinglet::client
