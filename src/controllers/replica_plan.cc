#include "controllers/internal/replica_plan.h"

namespace kinglet::controllers {

ReplicaPlan plan_replicas(const ReplicaSet& set, const std::vector<Ref<const Pod>>& pods,
                          const NodeCounts& siblings_on, WallTime now) {
  std::vector<Ref<const Pod>> active;
  for (const auto& pod : pods)
    if (pod->active()) active.push_back(pod);
  const int missing = set.replicas - static_cast<int>(active.size());
  ReplicaPlan plan;
  plan.create = std::clamp(missing, 0, kBurstMax);
  if (missing >= 0) return plan;
  sort_cheapest_first(active, siblings_on, now);
  active.resize(std::min(-missing, kBurstMax));
  plan.remove = std::move(active);
  return plan;
}

ReplicaSet::Status replica_status(const ReplicaSet& set, const std::vector<Ref<const Pod>>& pods,
                                  const client::StringPairs& template_labels,
                                  const std::optional<Condition>& failure, WallTime now) {
  ReplicaSet::Status status;
  const auto min_ready = std::chrono::seconds(set.min_ready_seconds);
  for (const auto& pod : pods) {
    if (!pod->active()) continue;
    ++status.replicas;
    if (pod->ready) ++status.ready;
    if (pod->available(min_ready, now)) ++status.available;
    status.fully_labeled +=
        std::all_of(template_labels.begin(), template_labels.end(), [&](const auto& label) {
          const auto* value = pod->meta.label(label.first);
          return value && *value == label.second;
        });
  }
  status.observed_generation = set.meta.generation;
  for (const auto& condition : set.status.conditions)
    if (condition.type != "ReplicaFailure") status.conditions.push_back(condition);
  if (!failure) return status;
  auto condition = *failure;
  if (const auto* before = client::find_condition(set.status.conditions, "ReplicaFailure");
      before && before->reason == condition.reason) {
    condition.transition = before->transition;
    condition.message = before->message;  // messages name pods and quotas: they would change with each retry
  }
  status.conditions.push_back(std::move(condition));
  return status;
}

}  // namespace kinglet::controllers
