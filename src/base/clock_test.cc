#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/task_group.h"
#include "base/testing.h"

namespace kinglet {
namespace {

TEST(Rfc3339, reads_what_clients_write) {
  struct Case {
    const char* text;
    const char* utc;  // null: refused
  };
  const Case cases[] = {
      {"2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000000Z"},
      {"2006-01-02T15:04:05.5Z", "2006-01-02T15:04:05.500000Z"},
      {"2006-01-02T15:04:05.123456789Z", "2006-01-02T15:04:05.123456Z"},
      {"2006-01-02T15:04:05+07:00", "2006-01-02T08:04:05.000000Z"},
      {"2006-01-01T00:00:00-00:30", "2006-01-01T00:30:00.000000Z"},
      {"1960-02-29T00:00:00.25Z", "1960-02-29T00:00:00.250000Z"},
      {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
      {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000000Z"},
      {"", nullptr},
      {"2006-01-02", nullptr},
      {"2006-01-02T15:04:05", nullptr},
      {"2006-01-02 15:04:05Z", nullptr},
      {"2006-02-30T15:04:05Z", nullptr},
      {"2006-13-01T15:04:05Z", nullptr},
      {"2006-01-02T24:00:00Z", nullptr},
      {"2006-01-02T15:04:60Z", nullptr},
      {"2006-01-02T15:04:05.Z", nullptr},
      {"2006-01-02T15:04:05Zx", nullptr},
      {"2006-01-02T15:04:05+7:00", nullptr},
      {"2006-01-02T15:04:05+24:00", nullptr},
      {"2006-+1-02T15:04:05Z", nullptr},
      {" 006-01-02T15:04:05Z", nullptr},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto time = parse_rfc3339(c.text);
    ASSERT_EQ(time.has_value(), c.utc != nullptr);
    if (c.utc == nullptr)
      EXPECT_TRUE(time.is(Code::bad_request));
    else
      EXPECT_EQ(rfc3339_micro(*time), c.utc);
  }
}

TEST(Rfc3339, what_it_prints_it_reads) {
  const auto random = make_seeded_random(1);
  for (int i = 0; i < 2000; ++i) {
    const WallTime time{std::chrono::microseconds(random->below(4'000'000'000'000'000))};
    const auto again = parse_rfc3339(rfc3339_micro(time));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, time);
  }
}

using Trace = std::vector<std::string>;
Task<void> nap(SimClock& clock, Trace& trace, std::string name, Duration length) {
  co_await clock.sleep(length);
  trace.push_back(fmt::format("{}@{}", name, clock.now().since_start / 1s));
}
Task<Result<void>> run_group(TaskGroup& group) { co_return co_await group.run(); }

TEST(SimClock, wakes_sleepers_in_order_of_time_and_then_of_arrival) {
  boost::asio::io_context loop;
  const auto clock = make_sim_clock(WallTime{});
  Trace trace;
  TaskGroup group;
  group.add("c", nap(*clock, trace, "c", 3s));
  group.add("a", nap(*clock, trace, "a", 1s));
  group.add("b", nap(*clock, trace, "b", 1s));
  group.add("now", nap(*clock, trace, "now", -1s));
  EXPECT_TRUE(testing::run_task(loop, *clock, run_group(group)));
  EXPECT_EQ(trace, (Trace{"now@0", "a@1", "b@1", "c@3"}));
}

TEST(SimClock, stops_at_the_end_that_was_asked_for) {
  boost::asio::io_context loop;
  const auto clock = make_sim_clock(WallTime{std::chrono::seconds(100)});
  clock->run_until(loop, clock->now() + 5s);
  EXPECT_EQ(clock->now().since_start, 5s);
  EXPECT_EQ(rfc3339(clock->wall()), "1970-01-01T00:01:45Z");
}

Task<void> cancel_at(SimClock& clock, TaskGroup& group, Duration at) {
  co_await clock.sleep(at);
  group.cancel();
}
TEST(SimClock, a_sleep_for_ever_can_be_cancelled) {
  boost::asio::io_context loop;
  const auto clock = make_sim_clock(WallTime{});
  Trace trace;
  TaskGroup group;
  group.add("for ever", nap(*clock, trace, "x", Duration::max()));
  group.add("cancel", cancel_at(*clock, group, 1s));
  EXPECT_TRUE(testing::run_task(loop, *clock, run_group(group)));
  EXPECT_TRUE(trace.empty());
}

Task<void> sleep_on(Clock& clock, Duration length) { co_await clock.sleep(length); }
TEST(SystemClock, sleeps) {
  boost::asio::io_context loop;
  const auto clock = make_system_clock();
  const auto before = clock->now();
  testing::run_task(loop, sleep_on(*clock, 2ms));
  EXPECT_GE(clock->now() - before, 2ms);
}

TEST(Random, seeded_repeats_and_stays_in_bounds) {
  const auto a = make_seeded_random(7), b = make_seeded_random(7), c = make_seeded_random(8);
  EXPECT_EQ(a->uuid(), b->uuid());
  EXPECT_NE(a->uuid(), c->uuid());
  std::vector<int> seen(6);
  for (int i = 0; i < 6000; ++i) ++seen[a->below(6)];
  for (const int n : seen) EXPECT_NEAR(n, 1000, 150);
  EXPECT_EQ(a->below(1), 0u);
  for (int i = 0; i < 100; ++i) {
    const double unit = a->unit();
    EXPECT_TRUE(unit >= 0 && unit < 1);
  }
}

TEST(Random, makes_the_names_of_kubernetes) {
  const auto random = make_system_random();
  const std::string uuid = random->uuid();
  ASSERT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_EQ(random->hex(8).size(), 16u);
  const std::string suffix = random->name_suffix();
  EXPECT_EQ(suffix.size(), 5u);
  EXPECT_EQ(suffix.find_first_not_of("bcdfghjklmnpqrstvwxz2456789"), std::string::npos);
  EXPECT_NE(random->uuid(), uuid);
}

}  // namespace
}  // namespace kinglet
