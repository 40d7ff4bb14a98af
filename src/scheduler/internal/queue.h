// The pods that wait for a node: ready to be tried, backing off after an attempt, or waiting for an event that could
// make room. Pure but for the time, which callers pass in.
// Source: upstream's scheduling queue: back-off 1 s doubling to 10 s; five minutes in vain and a pod is tried anyway.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "client/object.h"

namespace kinglet::scheduler {

using client::ObjectKey;

class PodQueue {
 public:
  static constexpr Duration kBackoffFirst = std::chrono::seconds(1);
  static constexpr Duration kBackoffMax = std::chrono::seconds(10);
  static constexpr Duration kParkedMax = std::chrono::minutes(5);

  // A new or changed pod: to be tried as soon as its back-off allows.
  void add(const ObjectKey& key, int priority, TimePoint now);
  void remove(const ObjectKey& key);
  // The pod to try now: highest priority first, then the one that waits longest. It leaves the queue.
  std::optional<ObjectKey> pop();
  // Tried in vain; `wakes_on`: events that could help.
  void park(const ObjectKey& key, int priority, uint32_t wakes_on, TimePoint now);
  // The attempt failed for a reason outside the pod (a write failed): again after its back-off.
  void retry(const ObjectKey& key, int priority, TimePoint now);
  void event(uint32_t bits, TimePoint now);
  // Moves pods whose time has come; then next() says when to call it again.
  void advance(TimePoint now);
  std::optional<TimePoint> next() const;
  void scheduled(const ObjectKey& key) { attempts_.erase(key); }

  size_t active() const { return active_.size(); }
  size_t backing_off() const { return backoff_.size(); }
  size_t parked() const { return parked_.size(); }

 private:
  struct Order {
    int priority;
    uint64_t sequence;
    bool operator<(const Order& other) const {
      return priority != other.priority ? priority > other.priority : sequence < other.sequence;
    }
  };
  struct Parked {
    int priority;
    uint32_t wakes_on;
    TimePoint since;
  };
  struct Attempts {
    int count = 0;
    TimePoint not_before{};
  };
  void activate(const ObjectKey& key, int priority);
  void back_off(const ObjectKey& key, int priority, TimePoint now);

  uint64_t sequence_ = 0;
  std::map<Order, ObjectKey> active_;
  std::map<ObjectKey, Order> in_active_;
  std::map<ObjectKey, std::pair<TimePoint, int>> backoff_;
  std::set<std::pair<TimePoint, ObjectKey>> backoff_times_;
  std::map<ObjectKey, Parked> parked_;
  std::map<ObjectKey, Attempts> attempts_;
};

}  // namespace kinglet::scheduler
