// What becomes of a node that is silent or not ready. Pure.
#pragma once
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

inline constexpr char kTaintNotReady[] = "node.kubernetes.io/not-ready";
inline constexpr char kTaintUnreachable[] = "node.kubernetes.io/unreachable";

struct Lease : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Lease> decode(const json::Value& object);
  std::string renewed;  // spec.renewTime, compared only: the node's clock may be wrong
};

struct NodePlan {
  std::optional<Conditions> conditions;             // to write
  std::optional<std::vector<client::Taint>> taints;  // to write
  bool became_unknown = false;
  bool pods_not_ready = false;  // its pods cannot be relied on
};
// `alive`: a sign of life came within the grace period. `all_down`: no node of the cluster is ready; then it is more
// likely that we are the ones cut off, and nothing is evicted. Source: upstream's node lifecycle controller.
NodePlan plan_node(const Node& node, bool alive, bool all_down, WallTime now);

json::Value node_status_patch(const Node& node, const Conditions& conditions);

// When a pod must leave a node with these taints; nullopt: it may stay. Taints without a time count from `noticed`.
std::optional<WallTime> eviction_time(const Pod& pod, const std::vector<client::Taint>& taints, WallTime noticed);

// The pod's conditions with one replaced or added, as a status patch guarded by the pod's revision.
json::Value pod_condition_patch(const Pod& pod, const Condition& condition, const char* phase = nullptr);

}  // namespace kinglet::controllers
