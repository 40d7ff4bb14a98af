#include "tunnel/failure_detector.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace kinglet::tunnel {
namespace {

constexpr Duration kMs = std::chrono::milliseconds(1);

// A link that carries pings over TCP: a lost segment comes again after a time-out, and what was
// sent behind it waits.
struct Link {
  double loss = 0;
  Duration delay = 5 * kMs, jitter{};
  Duration retransmit = 220 * kMs;  // thin streams: linear, no back-off
};

std::vector<TimePoint> arrivals(const Link& link, Random& random, Duration length) {
  std::vector<TimePoint> out;
  TimePoint in_order{};
  for (TimePoint sent{}; sent.since_start < length; sent = sent + kPingEvery) {
    TimePoint at =
        sent + link.delay +
        Duration(static_cast<int64_t>(random.unit() * static_cast<double>(link.jitter.count())));
    while (random.unit() < link.loss)
      at = at + link.retransmit +
           Duration(static_cast<int64_t>(random.unit() * static_cast<double>(link.jitter.count())));
    in_order = std::max(in_order, at);
    out.push_back(in_order);
  }
  return out;
}

struct Verdict {
  int alarms = 0;
  Duration detected{};  // after the last ping was sent
};

// Plays the arrivals, then silence. `stall`: every so often the watcher itself does not run for
// that long.
Verdict play(const std::vector<TimePoint>& arrivals, Duration length, Duration stall = {}) {
  FailureDetector detector(TimePoint{});
  Verdict verdict;
  size_t next = 0;
  bool dead = false;
  int ticks = 0;
  for (TimePoint now{}; now.since_start < length + std::chrono::seconds(20);
       now = now + kTickEvery) {
    if (stall.count() > 0 && ++ticks % 97 == 0) now = now + stall;
    const bool was_dead = dead;
    dead = detector.tick(now);  // before the bytes that came: the order on a loop is not known
    for (; next < arrivals.size() && arrivals[next] <= now; ++next) {
      detector.heard(arrivals[next] > now - kTickEvery ? arrivals[next] : now);
      dead = false;
    }
    if (!dead || was_dead) continue;
    if (next < arrivals.size()) {
      ++verdict.alarms;
    } else {
      verdict.detected = now.since_start - length;
      break;
    }
  }
  return verdict;
}

TEST(FailureDetector, finds_a_dead_peer_on_a_clean_link_within_a_second_and_a_half) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const auto random = make_seeded_random(seed);
    const Duration length =
        std::chrono::seconds(60) + Duration(static_cast<int64_t>(random->below(300'000'000)));
    const auto verdict = play(arrivals({}, *random, length), length);
    EXPECT_EQ(verdict.alarms, 0) << seed;
    EXPECT_LE(verdict.detected, 1500 * kMs) << seed;
    EXPECT_GE(verdict.detected, 700 * kMs) << seed;
  }
}

TEST(FailureDetector, raises_no_false_alarm_once_it_knows_a_bad_link) {
  struct Case {
    const char* name;
    Link link;
    int alarms_max;  // in 50 hours, before and after it has learned
  };
  const Case cases[] = {
      {"jitter of 300 ms", {0, 20 * kMs, 300 * kMs}, 0},
      {"5 % loss", {0.05, 20 * kMs, 20 * kMs}, 0},
      {"20 % loss", {0.2, 20 * kMs, 20 * kMs}, 2},
      {"20 % loss and 300 ms jitter", {0.2, 20 * kMs, 300 * kMs}, 15},
      {"half a second away", {0, 500 * kMs, 50 * kMs}, 0},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    int alarms = 0;
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      const auto random = make_seeded_random(seed);
      const Duration length = std::chrono::hours(1);
      const auto verdict = play(arrivals(c.link, *random, length), length);
      alarms += verdict.alarms;
      EXPECT_LE(verdict.detected, std::chrono::seconds(9));
    }
    EXPECT_LE(alarms, c.alarms_max);
  }
}

TEST(FailureDetector, does_not_blame_the_peer_for_its_own_absence) {
  const auto random = make_seeded_random(7);
  const Duration length = std::chrono::minutes(30);
  for (const int ms : {500, 3000, 30'000}) {
    SCOPED_TRACE(ms);
    EXPECT_EQ(play(arrivals({}, *random, length), length, ms * kMs).alarms, 0);
  }
}

TEST(FailureDetector, trusts_a_link_again_that_has_become_good) {
  FailureDetector detector(TimePoint{});
  TimePoint now{};
  for (int i = 0; i < 30; ++i) detector.tick(now = now + kTickEvery);
  detector.heard(now);
  EXPECT_GT(detector.limit(), 6000 * kMs);
  for (int i = 0; i < 6000; ++i) {
    detector.tick(now = now + kTickEvery);
    if (i % 3 == 0) detector.heard(now);
  }
  EXPECT_LE(detector.limit(), 1100 * kMs);
}

}  // namespace
}  // namespace kinglet::tunnel
