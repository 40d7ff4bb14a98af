#include "controllers/internal/daemon_set.h"
#include "controllers/internal/pod_template.h"
#include "controllers/internal/replica_plan.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
struct AddedToleration {
  const char *key, *effect;
};
// Daemons stay where trouble is: they may be what repairs it.
constexpr AddedToleration kAddedTolerations[] = {{"node.kubernetes.io/not-ready", "NoExecute"},
                                                 {"node.kubernetes.io/unreachable", "NoExecute"},
                                                 {"node.kubernetes.io/disk-pressure", "NoSchedule"},
                                                 {"node.kubernetes.io/memory-pressure", "NoSchedule"},
                                                 {"node.kubernetes.io/pid-pressure", "NoSchedule"},
                                                 {"node.kubernetes.io/unschedulable", "NoSchedule"}};
constexpr AddedToleration kNetworkToleration = {"node.kubernetes.io/network-unavailable", "NoSchedule"};

bool host_network(const json::Value& spec) { return json::bool_at(spec, {"hostNetwork"}); }

class DaemonRound {
 public:
  DaemonRound(const DaemonSet& set, const std::string& hash, const NodeFailures& failures, WallTime now)
      : set_(set), hash_(hash), before_(failures), now_(now), min_ready_(std::chrono::seconds(set.min_ready_seconds)) {}

  DaemonPlan run(const std::vector<Ref<const Node>>& nodes, const std::vector<Ref<const Pod>>& pods) {
    for (const auto& pod : pods) by_node_[target_node(*pod)].push_back(pod);
    for (const auto& node : nodes) look_at(*node);
    // What is left belongs to nodes that are no more. A bound one is the pod garbage collector's.
    for (const auto& [node, lost] : by_node_)
      for (const auto& pod : lost)
        if (pod->node_name.empty() && !pod->meta.deleted) plan_.remove.push_back(pod);
    if (!set_.on_delete) roll();
    auto& status = plan_.status;
    status.unavailable = std::max(0, status.desired - status.available);
    status.observed_generation = set_.meta.generation;
    status.collisions = set_.status.collisions;
    if (plan_.create.size() > static_cast<size_t>(kBurstMax)) plan_.create.resize(kBurstMax);
    return std::move(plan_);
  }

 private:
  struct OnNode {
    std::string node;
    Ref<const Pod> newest, old;  // of the wanted revision, of another one
    bool leaving = false;        // a pod is on its way out
  };

  void look_at(const Node& node) {
    const auto found = by_node_.extract(node.meta.name);
    auto pods = found ? found.mapped() : std::vector<Ref<const Pod>>();
    std::stable_sort(pods.begin(), pods.end(), [](const auto& a, const auto& b) {
      if (a->node_name.empty() != b->node_name.empty()) return !a->node_name.empty();
      return a->meta.created < b->meta.created;
    });
    const auto fit = node_fit(set_, node);
    count(fit, pods);
    if (const auto before = before_.find(node.meta.name); before != before_.end())
      if (now_.since_epoch - before->second.last.since_epoch <= 2 * kDaemonBackoffMax) plan_.failures.insert(*before);
    OnNode here{node.meta.name, nullptr, nullptr, false};
    for (const auto& pod : pods) {
      if (pod->meta.deleted) {
        here.leaving = true;
      } else if (!fit.keep) {
        plan_.remove.push_back(pod);
      } else if (pod->terminal()) {
        replace_ended(node.meta.name, pod);
        here.leaving = true;
      } else {
        auto& place = is_new(*pod) ? here.newest : here.old;
        if (place)
          plan_.remove.push_back(pod);  // the oldest stays
        else
          place = pod;
      }
    }
    if (!fit.run) return;
    if (here.newest || here.old)
      settled_.push_back(std::move(here));
    else if (!here.leaving)
      plan_.create.push_back(node.meta.name);
    else
      ++missing_;
  }

  bool is_new(const Pod& pod) const {
    const auto* label = pod.meta.label(kRevisionHash);
    return label && *label == hash_;
  }
  bool available(const Pod& pod) const { return pod.available(min_ready_, now_); }

  void count(const NodeFit& fit, const std::vector<Ref<const Pod>>& pods) {
    auto& status = plan_.status;
    const bool there = std::any_of(pods.begin(), pods.end(), [](const auto& pod) { return !pod->meta.deleted; });
    if (!fit.run) {
      status.misscheduled += there;
      return;
    }
    ++status.desired;
    if (!there) return;
    ++status.current;
    const auto any = [&](auto&& holds) {
      return std::any_of(pods.begin(), pods.end(), [&](const auto& pod) { return pod->active() && holds(*pod); });
    };
    status.ready += any([](const Pod& pod) { return pod.ready; });
    status.available += any([&](const Pod& pod) { return available(pod); });
    status.updated += any([&](const Pod& pod) { return is_new(pod); });
    if (const auto next = next_available(pods, min_ready_, now_)) again(*next);
  }

  void replace_ended(const std::string& node, const Ref<const Pod>& pod) {
    auto& failures = plan_.failures[node];
    const Duration quiet = now_.since_epoch - failures.last.since_epoch;
    if (failures.count > 0) {
      const Duration pause = std::min<Duration>(kDaemonBackoffFirst * (1 << (std::min(failures.count, 10) - 1)), kDaemonBackoffMax);
      if (quiet < pause) {
        again(pause - quiet);
        return;
      }
    }
    failures = {failures.count + 1, now_};
    plan_.remove.push_back(pod);
    plan_.ended.push_back(pod);
  }

  void roll() {
    const int desired = plan_.status.desired;
    const auto surge = set_.max_surge.scaled(desired, true);
    if (surge && *surge > 0)
      roll_with_surge(*surge);
    else
      roll_by_removal(desired);
  }

  // Old pods that are not available go at once; of the others as many as may be unavailable.
  void roll_by_removal(int desired) {
    const auto scaled = set_.max_unavailable.scaled(desired, true);
    int unavailable = missing_ + static_cast<int>(plan_.create.size());
    std::vector<Ref<const Pod>> candidates;
    for (const auto& here : settled_) {
      if (here.newest && here.old) {
        plan_.remove.push_back(here.old);  // a surge was switched off half way
        unavailable += !available(*here.newest);
      } else if (here.newest) {
        unavailable += !available(*here.newest);
      } else if (!available(*here.old)) {
        ++unavailable;
        plan_.remove.push_back(here.old);
      } else {
        candidates.push_back(here.old);
      }
    }
    for (const auto& pod : candidates)
      if (unavailable < (scaled ? *scaled : 1)) {
        plan_.remove.push_back(pod);
        ++unavailable;
      }
  }

  // A new pod comes beside the old one, which goes when the new one is available.
  void roll_with_surge(int surge) {
    int under_way = 0;
    std::vector<std::string> candidates;
    for (const auto& here : settled_) {
      if (here.newest && here.old) {
        if (available(*here.newest))
          plan_.remove.push_back(here.old);
        else
          ++under_way;
      } else if (here.old && !here.leaving) {
        if (available(*here.old))
          candidates.push_back(here.node);
        else
          plan_.create.push_back(here.node);  // nothing to lose
      }
    }
    for (const auto& node : candidates)
      if (under_way < surge) {
        plan_.create.push_back(node);
        ++under_way;
      }
  }

  void again(Duration after) {
    if (!plan_.again_after || after < *plan_.again_after) plan_.again_after = after;
  }

  const DaemonSet& set_;
  const std::string& hash_;
  const NodeFailures& before_;
  WallTime now_;
  Duration min_ready_;
  std::map<std::string, std::vector<Ref<const Pod>>> by_node_;
  std::vector<OnNode> settled_;
  int missing_ = 0;  // nodes whose old pod is still leaving
  DaemonPlan plan_;
};
}  // namespace

const schema::Resource& DaemonSet::resource() {
  static const auto& found = client::resource("apps", "v1", "daemonsets");
  return found;
}

std::shared_ptr<DaemonSet> DaemonSet::decode(const json::Value& object) {
  auto set = std::make_shared<DaemonSet>();
  set->min_ready_seconds = static_cast<int>(json::int_at(object, {"spec", "minReadySeconds"}));
  set->history_limit = static_cast<int>(json::int_at(object, {"spec", "revisionHistoryLimit"}, 10));
  set->on_delete = json::text_at(object, {"spec", "updateStrategy", "type"}) == "OnDelete";
  set->max_unavailable = int_or_string_at(object, {"spec", "updateStrategy", "rollingUpdate", "maxUnavailable"}, "1");
  if (set->max_unavailable.text == "1") set->max_unavailable = {1, std::nullopt};
  set->max_surge = int_or_string_at(object, {"spec", "updateStrategy", "rollingUpdate", "maxSurge"}, "0%");
  if (const auto* selector = json::find(object, {"spec", "selector"}))
    if (auto parsed = schema::Selector::from_object(*selector)) set->selector = std::move(*parsed);
  if (const auto* spec = json::find(object, {"spec", "template", "spec"})) {
    set->node_name = client::string_at(*spec, {"nodeName"});
    set->nodes = client::node_wants_of(*spec);
    set->tolerations = client::tolerations_of(*spec);
    for (const auto& added : kAddedTolerations) set->tolerations.push_back({added.key, "", added.effect, true, {}});
    if (host_network(*spec)) set->tolerations.push_back({kNetworkToleration.key, "", kNetworkToleration.effect, true, {}});
  }
  auto& status = set->status;
  status.current = status_number(object, "currentNumberScheduled");
  status.misscheduled = status_number(object, "numberMisscheduled");
  status.desired = status_number(object, "desiredNumberScheduled");
  status.ready = status_number(object, "numberReady");
  status.updated = status_number(object, "updatedNumberScheduled");
  status.available = status_number(object, "numberAvailable");
  status.unavailable = status_number(object, "numberUnavailable");
  status.observed_generation = json::int_at(object, {"status", "observedGeneration"});
  if (json::find(object, {"status", "collisionCount"})) status.collisions = status_number(object, "collisionCount");
  return set;
}

NodeFit node_fit(const DaemonSet& set, const Node& node) {
  if (!set.node_name.empty() && set.node_name != node.meta.name) return {};
  if (!set.nodes.match(node)) return {};
  NodeFit fit{true, true};
  for (const auto& taint : node.taints) {
    if (taint.effect == "PreferNoSchedule" || client::tolerated(set.tolerations, taint)) continue;
    fit.run = false;
    if (taint.effect == "NoExecute") fit.keep = false;
  }
  return fit;
}

std::string target_node(const Pod& pod) {
  if (!pod.node_name.empty()) return pod.node_name;
  const auto object = whole(pod);
  const auto* spec = json::find(object, {"spec"});
  if (!spec) return {};
  for (const auto& term : client::node_wants_of(*spec).required)
    for (const auto& requirement : term.names)
      if (requirement.values.size() == 1) return requirement.values.front();
  return {};
}

json::Value daemon_pod(const DaemonSet& set, const json::Value& template_json, const std::string& hash, const std::string& node) {
  auto pod = pod_from(template_json, client::controller_ref(DaemonSet::resource(), set.meta));
  auto& meta = json::child(pod.as_object(), "metadata");
  json::child(meta, "labels")[kRevisionHash] = hash;
  auto& spec = json::child(pod.as_object(), "spec");
  const json::Value term = json::Object{
      {"matchFields",
       json::Array{json::Object{{"key", "metadata.name"}, {"operator", "In"}, {"values", json::Array{json::Value(node)}}}}}};
  // The set has looked at the template's own terms already; what it preferred stays.
  json::child(json::child(spec, "affinity"), "nodeAffinity")["requiredDuringSchedulingIgnoredDuringExecution"] =
      json::Object{{"nodeSelectorTerms", json::Array{term}}};
  auto& list = spec["tolerations"];
  if (!list.is_array()) list = json::Array();
  const auto add = [&](const AddedToleration& added) {
    const json::Value row = json::Object{{"key", added.key}, {"operator", "Exists"}, {"effect", added.effect}};
    auto& rows = list.get_array();
    if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
  };
  for (const auto& added : kAddedTolerations) add(added);
  const json::Value whole_spec(spec);
  if (host_network(whole_spec)) add(kNetworkToleration);
  return pod;
}

DaemonPlan plan_daemons(const DaemonSet& set, const std::vector<Ref<const Node>>& nodes, const std::vector<Ref<const Pod>>& pods,
                        const std::string& hash, const NodeFailures& failures, WallTime now) {
  return DaemonRound(set, hash, failures, now).run(nodes, pods);
}

}  // namespace kinglet::controllers
