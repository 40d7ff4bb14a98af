// The replica set's decision: pure.
#pragma once
#include "controllers/internal/pod_template.h"

namespace kinglet::controllers {

// One run creates or removes at most this many; the next follows at once. Source: upstream's BurstReplicas.
constexpr int kBurstMax = 500;

struct ReplicaPlan {
  int create = 0;
  std::vector<Ref<const Pod>> remove;
};
// What to create and remove so that `set` has its replicas. `pods` are its own; those that ended or are being deleted
// do not count.
ReplicaPlan plan_replicas(const ReplicaSet& set, const std::vector<Ref<const Pod>>& pods, const NodeCounts& siblings_on,
                          WallTime now);

// `template_labels`: to count the pods that carry them all. `failure`: why the last creation or removal failed.
ReplicaSet::Status replica_status(const ReplicaSet& set, const std::vector<Ref<const Pod>>& pods,
                                  const client::StringPairs& template_labels, const std::optional<Condition>& failure,
                                  WallTime now);

}  // namespace kinglet::controllers
