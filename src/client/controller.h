// The controller runner: calls a Reconciler with the keys that need work, and owns everything around it.
//
// The runner alone owns retry, back-off, metrics and the log context. It calls a key again only when the caches the
// controller reads have seen what the key's last run wrote, so a reconcile may trust what it reads: no expectations.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/task_fwd.h"
#include "client/api.h"
#include "client/informer.h"
#include "client/work_queue.h"

namespace kinglet::client {

struct Outcome {
  std::optional<Duration> again_after;
  static Outcome done() { return {}; }
  static Outcome again(Duration after) { return {after}; }
  // The earlier of the two.
  Outcome& or_again(std::optional<Duration> after) {
    if (after && (!again_after || *after < *again_after)) again_after = after;
    return *this;
  }
};

class Reconciler {
 public:
  virtual ~Reconciler() = default;
  // Compares the world with the wish, for one name. May run again at any time. Writes go through `api`, which notes them.
  virtual Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) = 0;
};

struct RunnerOptions {
  std::string name;  // upstream's controller name: the metrics' label and the log's
  int workers = 4;
};

class Runner {
 public:
  Runner(Api& api, Clock& clock, Random& random, Metrics& metrics, RunnerOptions options);
  ~Runner();
  // Both before run(). The controller starts when these caches are filled.
  void use(std::unique_ptr<Reconciler> reconciler) { reconciler_ = std::move(reconciler); }
  template <class T>
  Informer<T> reads(Informer<T> informer) {
    add_cache(informer.core());
    return informer;
  }

  WorkQueue& queue() { return queue_; }
  void add(const ObjectKey& key) { queue_.add(key); }
  const std::string& name() const { return options_.name; }
  // Nothing to do now (there may be wake-ups at later times).
  bool idle() const { return queue_.idle() && parked_.empty(); }

  Task<void> run();  // until cancelled

 private:
  class NotedApi;
  // What one run wrote, and in which caches it must show before the next run.
  struct Writes {
    std::vector<std::pair<const schema::Resource*, uint64_t>> revisions;
    struct Removal {
      const schema::Resource* resource;
      ObjectKey key;
      std::string uid;
    };
    std::vector<Removal> removals;
    bool empty() const { return revisions.empty() && removals.empty(); }
  };

  void add_cache(InformerCore& cache);
  const InformerCore* cache_of(const schema::Resource& resource) const;
  bool seen(const Writes& writes) const;
  void unpark();
  Task<void> work();
  Task<void> run_once(NotedApi& api, const ObjectKey& key);

  Api& api_;
  Clock& clock_;
  RunnerOptions options_;
  Log log_;
  WorkQueue queue_;
  std::unique_ptr<Reconciler> reconciler_;
  std::vector<InformerCore*> caches_;
  std::map<ObjectKey, Writes> unseen_;      // the last run's, while the caches lag
  std::map<ObjectKey, TimePoint> parked_;   // wanted again, waiting for the caches; until when at most
  Histogram& worked_;
  Counter& runs_;
  Counter& errors_;
};

}  // namespace kinglet::client
