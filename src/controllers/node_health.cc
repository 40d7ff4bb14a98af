#include "controllers/internal/node_health.h"

namespace kinglet::controllers {

const schema::Resource& Lease::resource() {
  static const auto& found = client::resource("coordination.k8s.io", "v1", "leases");
  return found;
}

std::shared_ptr<Lease> Lease::decode(const json::Value& object) {
  auto lease = std::make_shared<Lease>();
  lease->renewed = client::string_at(object, {"spec", "renewTime"});
  return lease;
}

namespace {
Conditions silent_conditions(const Node& node, WallTime now) {
  auto conditions = node.conditions;
  for (const char* type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
    const auto at = std::find_if(conditions.begin(), conditions.end(), [&](const Condition& c) { return c.type == type; });
    if (at == conditions.end()) {
      conditions.push_back({type, "Unknown", "NodeStatusNeverUpdated", "Kubelet never posted node status.",
                            rfc3339(now), rfc3339(now)});
    } else if (at->status != "Unknown") {
      at->status = "Unknown";
      at->reason = "NodeStatusUnknown";
      at->message = "Kubelet stopped posting node status.";
      at->transition = rfc3339(now);
    }
  }
  return conditions;
}

struct OwnTaint {
  const char *key, *effect;
};
// Every taint that this controller sets and removes.
constexpr OwnTaint kOwnTaints[] = {
    {kTaintNotReady, "NoSchedule"},
    {kTaintNotReady, "NoExecute"},
    {kTaintUnreachable, "NoSchedule"},
    {kTaintUnreachable, "NoExecute"},
    {"node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"node.kubernetes.io/network-unavailable", "NoSchedule"},
    {"node.kubernetes.io/unschedulable", "NoSchedule"},
};

bool wants(const OwnTaint& taint, const Node& node, const Conditions& conditions, bool all_down) {
  const std::string_view key = taint.key;
  const auto is = [&](const char* type, const char* status) {
    const auto* condition = client::find_condition(conditions, type);
    return condition && condition->status == status;
  };
  if (all_down && std::string_view(taint.effect) == "NoExecute") return false;
  if (key == kTaintNotReady) return is("Ready", "False");
  if (key == kTaintUnreachable) return is("Ready", "Unknown");
  if (key.ends_with("memory-pressure")) return is("MemoryPressure", "True");
  if (key.ends_with("disk-pressure")) return is("DiskPressure", "True");
  if (key.ends_with("pid-pressure")) return is("PIDPressure", "True");
  if (key.ends_with("network-unavailable")) return is("NetworkUnavailable", "True");
  return node.unschedulable;
}

std::optional<std::vector<client::Taint>> changed_taints(const Node& node, const Conditions& conditions,
                                                         bool all_down, WallTime now) {
  auto taints = node.taints;
  bool changed = false;
  for (const auto& own : kOwnTaints) {
    const bool wanted = wants(own, node, conditions, all_down);
    const auto at = std::find_if(taints.begin(), taints.end(), [&](const client::Taint& t) {
      return t.key == own.key && t.effect == own.effect;
    });
    if (wanted == (at != taints.end())) continue;
    changed = true;
    if (wanted)
      taints.push_back({own.key, "", own.effect, now});
    else
      taints.erase(at);
  }
  if (!changed) return std::nullopt;
  return taints;
}
}  // namespace

NodePlan plan_node(const Node& node, bool alive, bool all_down, WallTime now) {
  NodePlan plan;
  auto conditions = node.conditions;
  if (!alive) {
    conditions = silent_conditions(node, now);
    if (conditions != node.conditions) {
      plan.became_unknown = true;
      plan.conditions = conditions;
    }
    plan.pods_not_ready = true;
  }
  plan.taints = changed_taints(node, conditions, all_down, now);
  return plan;
}

json::Value node_status_patch(const Node& node, const Conditions& conditions) {
  json::Array list;
  for (const auto& c : conditions) {
    json::Object item = {{"type", c.type}, {"status", c.status}, {"reason", c.reason}, {"message", c.message}};
    if (!c.updated.empty()) item["lastHeartbeatTime"] = c.updated;
    if (!c.transition.empty()) item["lastTransitionTime"] = c.transition;
    list.push_back(std::move(item));
  }
  // The revision guards against a node that speaks up just now.
  return json::Object{{"metadata", json::Object{{"resourceVersion", std::to_string(node.meta.revision)}}},
                      {"status", json::Object{{"conditions", std::move(list)}}}};
}

std::optional<WallTime> eviction_time(const Pod& pod, const std::vector<client::Taint>& taints, WallTime noticed) {
  std::optional<WallTime> when;
  const auto earlier = [&](WallTime time) { when = when ? std::min(*when, time) : time; };
  for (const auto& taint : taints) {
    if (taint.effect != "NoExecute") continue;
    const WallTime since = taint.added.value_or(noticed);
    bool tolerated = false;
    std::optional<int64_t> seconds;
    for (const auto& toleration : pod.tolerations) {
      if (!toleration.tolerates(taint)) continue;
      tolerated = true;
      if (toleration.seconds) seconds = std::min(seconds.value_or(INT64_MAX), std::max<int64_t>(0, *toleration.seconds));
    }
    if (!tolerated)
      earlier(since);
    else if (seconds)
      // A century is as good as for ever, and does not overflow.
      earlier({since.since_epoch + std::chrono::seconds(std::min<int64_t>(*seconds, 3'153'600'000))});
  }
  return when;
}

json::Value pod_condition_patch(const Pod& pod, const Condition& condition, const char* phase) {
  const auto object = whole(pod);
  json::Array list;
  for (const auto& item : client::array_at(object, {"status", "conditions"}))
    if (json::text_at(item, {"type"}) != condition.type) list.push_back(item);
  json::Object item = {{"type", condition.type}, {"status", condition.status}, {"lastTransitionTime", condition.transition}};
  if (!condition.reason.empty()) item["reason"] = condition.reason;
  if (!condition.message.empty()) item["message"] = condition.message;
  list.push_back(std::move(item));
  json::Object status = {{"conditions", std::move(list)}};
  if (phase) status["phase"] = phase;
  return json::Object{{"metadata", json::Object{{"resourceVersion", std::to_string(pod.meta.revision)}}},
                      {"status", std::move(status)}};
}

}  // namespace kinglet::controllers
