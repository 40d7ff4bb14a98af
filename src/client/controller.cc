#include "client/controller.h"

#include "base/task.h"
#include "base/task_group.h"

namespace kinglet::client {
namespace {
const std::vector<double> kSeconds = {1e-4, 1e-3, 1e-2, 0.1, 1, 10};
// A cache that lags longer than this has lost its watch; working on old knowledge is then better than waiting, since
// every write is guarded by a name, a uid or a revision.
constexpr Duration kCacheLagMax = 10s;
// Failures below this are daily business (conflicts, a namespace that goes away); beyond it somebody may wonder.
constexpr int kQuietFailures = 4;
}  // namespace

// Passes everything on and notes what was written.
class Runner::NotedApi final : public Api {
 public:
  NotedApi(Api& api, const Runner& runner) : api_(api), runner_(runner) {}
  Writes take() { return std::exchange(writes_, {}); }

  Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns, std::string name) override {
    return api_.get(resource, std::move(ns), std::move(name));
  }
  Task<Result<ObjectList>> list(const schema::Resource& resource, std::string ns, ListOptions options) override {
    return api_.list(resource, std::move(ns), std::move(options));
  }
  Task<Result<std::unique_ptr<Watch>>> watch(const schema::Resource& resource, std::string ns,
                                             ListOptions options) override {
    return api_.watch(resource, std::move(ns), std::move(options));
  }
  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                             WriteOptions options, std::string name, std::string subresource) override {
    const bool whole = subresource.empty();
    auto writing = api_.create(resource, std::move(ns), std::move(object), std::move(options), std::move(name),
                               std::move(subresource));
    auto written = co_await std::move(writing);
    if (written && whole) note(resource, *written);
    co_return written;
  }
  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name,
                             std::string object, WriteOptions options, std::string subresource) override {
    auto writing = api_.update(resource, std::move(ns), std::move(name), std::move(object), std::move(options),
                               std::move(subresource));
    auto written = co_await std::move(writing);
    if (written) note(resource, *written);
    co_return written;
  }
  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name,
                            PatchType type, std::string patch, WriteOptions options,
                            std::string subresource) override {
    auto writing = api_.patch(resource, std::move(ns), std::move(name), type, std::move(patch), std::move(options),
                              std::move(subresource));
    auto written = co_await std::move(writing);
    if (written) note(resource, *written);
    co_return written;
  }
  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                            DeleteOptions options) override {
    const ObjectKey key{ns, name};
    if (const auto* cache = runner_.cache_of(resource))
      if (const auto cached = cache->find(key))
        writes_.removals.push_back({&resource, key, cached->meta.uid});
    auto removing = api_.remove(resource, std::move(ns), std::move(name), std::move(options));
    auto removed = co_await std::move(removing);
    if (!removed && !removed.is(Code::not_found))
      std::erase_if(writes_.removals, [&](const auto& r) { return r.resource == &resource && r.key == key; });
    co_return removed;
  }

 private:
  void note(const schema::Resource& resource, const Bytes& object) {
    if (!runner_.cache_of(resource)) return;
    const auto value = json::parse(object.view());
    if (!value) return;
    const uint64_t revision = revision_of(*value);
    for (auto& [noted, max] : writes_.revisions)
      if (noted == &resource) {
        max = std::max(max, revision);
        return;
      }
    writes_.revisions.emplace_back(&resource, revision);
  }
  Api& api_;
  const Runner& runner_;
  Writes writes_;
};

Runner::Runner(Api& api, Clock& clock, Random& random, Metrics& metrics, RunnerOptions options)
    : api_(api),
      clock_(clock),
      options_(std::move(options)),
      log_(options_.name),
      queue_(clock, random, metrics, {.name = options_.name}),
      worked_(metrics.histogram("workqueue_work_duration_seconds",
                                "How long in seconds processing an item from workqueue takes", kSeconds,
                                {{"name", options_.name}})),
      runs_(metrics.counter("kinglet_controller_runs_total", "Reconciles", {{"name", options_.name}})),
      errors_(metrics.counter("kinglet_controller_errors_total", "Reconciles that failed",
                              {{"name", options_.name}})) {}
Runner::~Runner() = default;

void Runner::add_cache(InformerCore& cache) {
  if (std::find(caches_.begin(), caches_.end(), &cache) != caches_.end()) return;
  caches_.push_back(&cache);
  cache.on_progress([this] { unpark(); });
}

const InformerCore* Runner::cache_of(const schema::Resource& resource) const {
  for (const auto* cache : caches_)
    if (&cache->resource() == &resource) return cache;
  return nullptr;
}

bool Runner::seen(const Writes& writes) const {
  for (const auto& [resource, revision] : writes.revisions)
    if (cache_of(*resource)->revision() < revision) return false;
  for (const auto& removal : writes.removals) {
    const auto cached = cache_of(*removal.resource)->find(removal.key);
    if (cached && !cached->meta.deleted && cached->meta.uid == removal.uid) return false;
  }
  return true;
}

void Runner::unpark() {
  for (auto at = unseen_.begin(); at != unseen_.end();) {
    if (!seen(at->second)) {
      ++at;
      continue;
    }
    if (parked_.erase(at->first) > 0) queue_.add(at->first);
    at = unseen_.erase(at);
  }
}

Task<void> Runner::run() {
  KL_ASSERT(reconciler_, "runner {} has no reconciler", options_.name);
  for (size_t i = 0; i < caches_.size(); ++i) co_await caches_[i]->wait_synced();
  TaskGroup group;
  group.add(options_.name + " timer", queue_.run());
  for (int i = 0; i < options_.workers; ++i) group.add(options_.name, work());
  const auto ended = co_await group.run();
  (void)ended;  // workers do not fail
}

Task<void> Runner::work() {
  NotedApi api(api_, *this);
  for (;;) {
    const auto key = co_await queue_.get();
    const auto lag = unseen_.find(key);
    if (lag != unseen_.end()) {
      const auto parked = parked_.find(key);
      const auto until = parked == parked_.end() ? clock_.now() + kCacheLagMax : parked->second;
      if (!seen(lag->second) && clock_.now() < until) {
        parked_[key] = until;
        queue_.add_after(key, until - clock_.now());
        queue_.done(key);
        continue;
      }
      unseen_.erase(lag);
      parked_.erase(key);
    }
    co_await run_once(api, key);
    auto writes = api.take();
    if (!writes.empty()) unseen_[key] = std::move(writes);
    queue_.done(key);
  }
}

Task<void> Runner::run_once(NotedApi& api, const ObjectKey& key) {
  const auto start = clock_.now();
  auto running = reconciler_->reconcile(api, key);
  const auto outcome = co_await std::move(running);
  worked_.observe(std::chrono::duration<double>(clock_.now() - start).count());
  runs_.add();
  if (outcome) {
    queue_.forget_failures(key);
    if (outcome->again_after)
      queue_.add_after(key, *outcome->again_after);
    else
      queue_.forget_delayed(key);
    co_return;
  }
  errors_.add();
  queue_.add_rate_limited(key);
  if (queue_.failures(key) <= kQuietFailures)
    log_.debug("reconcile failed", kv("key", key.text()), kv("error", outcome.error()));
  else
    log_.warn("reconcile fails again and again", kv("key", key.text()),
              kv("failures", queue_.failures(key)), kv("error", outcome.error()));
}

}  // namespace kinglet::client
