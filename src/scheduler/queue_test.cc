#include "scheduler/internal/queue.h"

#include <gtest/gtest.h>

#include "scheduler/internal/plugins.h"

namespace kinglet::scheduler {
namespace {

const ObjectKey kA{"n", "a"}, kB{"n", "b"}, kC{"n", "c"};
TimePoint at(Duration since) { return {since}; }
std::string popped(PodQueue& queue) {
  std::string names;
  while (const auto key = queue.pop()) names += key->name;
  return names;
}

TEST(PodQueue, important_pods_first_then_in_turn) {
  PodQueue queue;
  queue.add(kA, 0, at(0s));
  queue.add(kB, 0, at(0s));
  queue.add(kC, 100, at(0s));
  queue.add(kA, 0, at(0s));
  EXPECT_EQ(popped(queue), "cab");
}

TEST(PodQueue, an_unschedulable_pod_waits_for_an_event_that_helps) {
  PodQueue queue;
  queue.add(kA, 0, at(0s));
  queue.pop();
  queue.park(kA, 0, kNodeAdded | kPodRemoved, at(0s));
  queue.event(kNodeChanged, at(5s));
  EXPECT_EQ(queue.parked(), 1u);
  queue.event(kPodRemoved, at(5s));
  EXPECT_EQ(popped(queue), "a");
}

TEST(PodQueue, an_event_right_after_an_attempt_waits_for_the_back_off) {
  PodQueue queue;
  const Duration pauses[] = {1s, 2s, 4s, 8s, 10s, 10s};
  TimePoint now = at(0s);
  for (const auto pause : pauses) {
    queue.park(kA, 0, kAnyEvent, now);
    queue.event(kNodeAdded, now);
    EXPECT_EQ(popped(queue), "");
    ASSERT_TRUE(queue.next());
    EXPECT_EQ(*queue.next() - now, pause);
    now = *queue.next();
    queue.advance(now);
    EXPECT_EQ(popped(queue), "a");
  }
  queue.scheduled(kA);
  queue.park(kA, 0, kAnyEvent, now);
  queue.event(kNodeAdded, now);
  EXPECT_EQ(*queue.next() - now, 1s) << "a pod that was placed starts afresh";
}

TEST(PodQueue, tries_again_without_any_event_after_a_while) {
  PodQueue queue;
  queue.park(kA, 0, 0, at(0s));
  EXPECT_EQ(*queue.next(), at(PodQueue::kParkedMax));
  queue.advance(at(PodQueue::kParkedMax));
  EXPECT_EQ(popped(queue), "a");
  EXPECT_FALSE(queue.next()) << "an empty queue needs no timer";
}

TEST(PodQueue, a_removed_pod_is_forgotten_wherever_it_was) {
  PodQueue queue;
  queue.add(kA, 0, at(0s));
  queue.park(kB, 0, 0, at(0s));
  queue.retry(kC, 0, at(0s));
  EXPECT_EQ(queue.active() + queue.parked() + queue.backing_off(), 3u);
  for (const auto& key : {kA, kB, kC}) queue.remove(key);
  EXPECT_EQ(queue.active() + queue.parked() + queue.backing_off(), 0u);
  EXPECT_FALSE(queue.next());
}

}  // namespace
}  // namespace kinglet::scheduler
