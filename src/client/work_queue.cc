#include "client/work_queue.h"

#include "base/task.h"

namespace kinglet::client {
namespace {
const std::vector<double> kSeconds = {1e-4, 1e-3, 1e-2, 0.1, 1, 10};
double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
}  // namespace

WorkQueue::WorkQueue(Clock& clock, Random& random, Metrics& metrics, WorkQueueOptions options)
    : clock_(clock),
      random_(random),
      pauses_(random, options.first_pause, options.pause_max),
      alarm_(clock),
      depth_(metrics.gauge("workqueue_depth", "Current depth of workqueue", {{"name", options.name}})),
      adds_(metrics.counter("workqueue_adds_total", "Total number of adds handled by workqueue",
                            {{"name", options.name}})),
      retries_(metrics.counter("workqueue_retries_total",
                               "Total number of retries handled by workqueue", {{"name", options.name}})),
      waited_(metrics.histogram("workqueue_queue_duration_seconds",
                                "How long in seconds an item stays in workqueue before being requested",
                                kSeconds, {{"name", options.name}})) {}

void WorkQueue::add(const ObjectKey& key) {
  if (!dirty_.insert(key).second) return;
  adds_.add();
  if (!working_.contains(key)) push(key);
}

void WorkQueue::push(const ObjectKey& key) {
  ready_.emplace_back(key, clock_.now());
  depth_.set(static_cast<double>(ready_.size()));
  added_.notify_all();
}

void WorkQueue::add_after(const ObjectKey& key, Duration pause) {
  const auto when = clock_.now() + std::max(pause, Duration::zero());
  delayed_[key] = when;
  alarm_.set(when);
}

void WorkQueue::add_rate_limited(const ObjectKey& key) {
  retries_.add();
  add_after(key, Backoff::jittered(random_, pauses_.pause(failures_[key]++)));
}

int WorkQueue::failures(const ObjectKey& key) const {
  const auto at = failures_.find(key);
  return at == failures_.end() ? 0 : at->second;
}

Task<ObjectKey> WorkQueue::get() {
  while (ready_.empty()) co_await added_.wait();
  auto [key, since] = std::move(ready_.front());
  ready_.pop_front();
  depth_.set(static_cast<double>(ready_.size()));
  waited_.observe(seconds(clock_.now() - since));
  dirty_.erase(key);
  working_.insert(key);
  co_return key;
}

void WorkQueue::done(const ObjectKey& key) {
  working_.erase(key);
  if (dirty_.contains(key)) push(key);
}

void WorkQueue::ring() {
  const auto now = clock_.now();
  std::optional<TimePoint> next;
  std::vector<std::pair<TimePoint, ObjectKey>> due;
  for (auto at = delayed_.begin(); at != delayed_.end();) {
    if (at->second <= now) {
      due.emplace_back(at->second, at->first);
      at = delayed_.erase(at);
    } else {
      next = next ? std::min(*next, at->second) : at->second;
      ++at;
    }
  }
  std::sort(due.begin(), due.end());
  for (const auto& [when, key] : due) add(key);
  if (next) alarm_.set(*next);
}

Task<void> WorkQueue::run() {
  std::function<void()> on_ring = [this] { ring(); };
  co_await alarm_.run(std::move(on_ring));
}

}  // namespace kinglet::client
