// WorkQueue: keys that need work, each at most once, never handed to two workers at a time.
//
// A key added while it is worked on comes back when done() is called. Failures come back after a growing, jittered
// pause. Each key has at most one delayed wake-up; the newest wish of a finished run replaces the older one.
// Loop only. Source: client-go's workqueue, whose metric names it keeps (workqueue_depth, workqueue_adds_total, ...).
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/signal.h"
#include "client/alarm.h"
#include "client/backoff.h"
#include "client/object.h"

namespace kinglet::client {

struct WorkQueueOptions {
  std::string name;  // the `name` label of the metrics
  Duration first_pause = 5ms;
  Duration pause_max = 60s;
};

class WorkQueue {
 public:
  WorkQueue(Clock& clock, Random& random, Metrics& metrics, WorkQueueOptions options);

  void add(const ObjectKey& key);
  // Replaces the key's delayed wake-up.
  void add_after(const ObjectKey& key, Duration pause);
  void forget_delayed(const ObjectKey& key) { delayed_.erase(key); }
  // After a failure: add_after with the key's next pause.
  void add_rate_limited(const ObjectKey& key);
  void forget_failures(const ObjectKey& key) { failures_.erase(key); }
  int failures(const ObjectKey& key) const;

  Task<ObjectKey> get();  // waits for a key and marks it as worked on
  void done(const ObjectKey& key);
  size_t depth() const { return ready_.size(); }
  bool idle() const { return ready_.empty() && working_.empty(); }
  bool has_delayed() const { return !delayed_.empty(); }

  Task<void> run();  // moves delayed keys when they are due; until cancelled

 private:
  void ring();
  void push(const ObjectKey& key);

  Clock& clock_;
  Random& random_;
  Backoff pauses_;
  Alarm alarm_;
  std::deque<std::pair<ObjectKey, TimePoint>> ready_;
  std::set<ObjectKey> dirty_, working_;
  std::map<ObjectKey, TimePoint> delayed_;
  std::map<ObjectKey, int> failures_;
  Signal added_;
  Gauge& depth_;
  Counter& adds_;
  Counter& retries_;
  Histogram& waited_;
};

}  // namespace kinglet::client
