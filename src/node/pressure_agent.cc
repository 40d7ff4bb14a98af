// The agent's half of eviction: looks now and then, ends one pod at a time, and remembers what the
// Node shall say.
#include "base/task.h"
#include "node/eviction.h"
#include "node/node_agent.h"

namespace kinglet::node {

Task<void> NodeAgent::watch_pressure() {
  for (;;) {
    co_await parts_.clock.sleep(kPressureCheck);
    const Shortage now = shortage_of(read_host_usage(), read_disk_usage(parts_.images_dir));
    if (now.memory) memory_short_at_ = parts_.clock.now();
    if (now.disk) disk_short_at_ = parts_.clock.now();
    if (now.disk) {
      const auto freed = co_await parts_.runtime.images().collect(false);
      if (!freed) log_.warn("unused layers not removed", kv("error", freed.error()));
    }
    if (now.memory) evict_for_memory(now);
  }
}

void NodeAgent::evict_for_memory(const Shortage& shortage) {
  std::vector<PodUse> pods;
  for (const auto& [uid, worker] : workers_) {
    const auto& pod = worker->pod();
    // One that is ending already gives its memory back: nobody else has to go for it now.
    if (pod.metadata.deletionTimestamp || worker->state().end) {
      if (worker->state().sandbox_up) return;
      continue;
    }
    const auto stats = parts_.runtime.sandbox_stats(worker->sandbox_id());
    if (stats && worker->state().sandbox_up)
      pods.push_back({uid, pod.spec.priority.value_or(0), memory_request_of(pod),
                      stats->working_set_bytes, is_critical(pod)});
  }
  const auto first = first_to_evict(std::move(pods));
  if (!first) return;
  const auto worker = workers_.find(first->uid);
  const std::string message = eviction_message(shortage, *first);
  log_.warn("memory is short: a pod is evicted", kv("pod", worker->second->pod().metadata.name));
  worker->second->evict(message);
}

bool NodeAgent::short_since(const std::optional<TimePoint>& at) const {
  return at && parts_.clock.now() - *at < kPressureKept;
}

}  // namespace kinglet::node
