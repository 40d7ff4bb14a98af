// Node lifecycle controller: notices silent nodes and says so, in conditions and taints.
#include "base/task.h"
#include "client/node_liveness.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/node_health.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;
constexpr char kComponent[] = "node-controller";

using State = client::NodeLiveness::State;

class NodeLifecycle final : public client::Reconciler {
 public:
  NodeLifecycle(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        events_(deps.events),
        grace_(deps.options.node_grace),
        startup_grace_(deps.options.node_startup_grace),
        liveness_(deps.options.liveness),
        nodes_(runner.reads(deps.informers.of<Node>())),
        leases_(runner.reads(deps.informers.of<Lease>("kube-node-lease"))),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    pods_by_node_ = pods_.index("node", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.node_name.empty()) keys.push_back(pod.node_name);
    });
    // A renewal only moves the time of the last sign of life; nobody is woken but for a node that was given up.
    leases_.on_change([this, &runner](const Lease* before, const Lease* after) {
      if (!after || (before && before->renewed == after->renewed)) return;
      note_life(runner, after->meta.name);
    });
    nodes_.on_change([this, &runner](const Node* before, const Node* after) { node_changed(runner, before, after); });
    if (liveness_) liveness_->on_change([&runner](const std::string& name) { runner.add({"", name}); });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto node = nodes_.find(key);
    if (!node) co_return Outcome::done();
    auto& life = lives_[key.name];
    const auto grace = node->condition("Ready") ? grace_ : startup_grace_;
    // Who watches a node's connection knows better than its lease, in both directions.
    const auto watched = liveness_ ? liveness_->state(key.name) : State::unknown;
    if (watched == State::alive) life.seen = clock_.now();
    const auto silent = clock_.now() - life.seen;
    life.given_up = watched == State::lost || silent >= grace;
    const bool alive = !life.given_up;
    const auto plan = plan_node(*node, alive, all_down(*node, alive), clock_.wall());
    if (plan.became_unknown)
      events_.event(client::reference_to(Node::resource(), node->meta), EventType::normal, "NodeNotReady",
                    fmt::format("Node {} status is now: NodeNotReady", key.name), kComponent);
    if (plan.conditions) {
      const auto patch = node_status_patch(*node, *plan.conditions);
      const auto written = co_await client::merge_status(api, Node::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "conditions of {}", key.name);
    }
    if (plan.taints) {
      const json::Value patch = json::Object{
          {"spec", json::Object{{"taints", plan.taints->empty() ? json::Value() : json::Value(client::to_json(*plan.taints))}}}};
      const auto written = co_await client::merge(api, Node::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "taints of {}", key.name);
    }
    if (plan.pods_not_ready) KL_CHECK(co_await mark_pods(api, key.name));
    co_return alive ? Outcome::again(grace - silent) : Outcome::done();
  }

 private:
  struct Life {
    TimePoint seen;
    bool given_up = false;
  };

  void note_life(client::Runner& runner, const std::string& name) {
    auto& life = lives_[name];
    life.seen = clock_.now();
    if (life.given_up) runner.add({"", name});
  }

  void node_changed(client::Runner& runner, const Node* before, const Node* after) {
    if (!after) {
      lives_.erase(before->meta.name);
    } else if (!before) {
      lives_[after->meta.name].seen = clock_.now();
    } else {
      const auto* was = before->condition("Ready");
      const auto* is = after->condition("Ready");
      if (is && (!was || was->updated != is->updated) && is->status != "Unknown") note_life(runner, after->meta.name);
    }
    if (after) runner.add(after->meta.key());
    // Whether the whole cluster is down may have changed, which concerns every node.
    if (!before || !after || before->ready() != after->ready())
      nodes_.for_each([&](const Node& node) { runner.add(node.meta.key()); });
  }

  bool all_down(const Node& self, bool alive) const {
    if (alive && self.ready()) return false;
    bool any = false;
    nodes_.for_each([&](const Node& node) { any = any || (node.ready() && node.meta.name != self.meta.name); });
    return !any;
  }

  Task<Result<void>> mark_pods(Api& api, std::string node) {
    std::vector<Ref<const Pod>> ready;
    for (const auto& pod : pods_.indexed(pods_by_node_, node))
      if (pod->ready) ready.push_back(pod);
    MakeTask make = [&](int i) { return mark_pod(api, ready[static_cast<size_t>(i)]); };
    co_return co_await all(static_cast<int>(ready.size()), std::move(make));
  }

  Task<Result<void>> mark_pod(Api& api, Ref<const Pod> pod) {
    const Condition condition{"Ready", "False", "NodeNotReady", "", rfc3339(clock_.wall()), {}};
    const auto patch = pod_condition_patch(*pod, condition);
    const auto key = pod->meta.key();
    const auto written = co_await client::merge_status(api, Pod::resource(), key, patch);
    if (written)
      events_.event(client::reference_to(Pod::resource(), pod->meta), EventType::warning, "NodeNotReady",
                    "Node is not ready", kComponent);
    co_return client::unless(Code::not_found, written);
  }

  Clock& clock_;
  client::EventRecorder& events_;
  Duration grace_, startup_grace_;
  client::NodeLiveness* liveness_;
  Informer<Node> nodes_;
  Informer<Lease> leases_;
  Informer<Pod> pods_;
  size_t pods_by_node_ = 0;
  std::map<std::string, Life> lives_;
};

// Deletes pods that do not tolerate their node's NoExecute taints, when their time is up.
class TaintEviction final : public client::Reconciler {
 public:
  TaintEviction(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        events_(deps.events),
        nodes_(runner.reads(deps.informers.of<Node>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    pods_by_node_ = pods_.index("node", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.node_name.empty()) keys.push_back(pod.node_name);
    });
    nodes_.on_change([this, &runner](const Node* before, const Node* after) {
      if (!after || !evicts(*after))
        noticed_.erase((after ? after : before)->meta.name);
      else
        runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (!after || after->node_name.empty() || (before && before->node_name == after->node_name)) return;
      const auto node = nodes_.find({"", after->node_name});
      if (node && evicts(*node)) runner.add(node->meta.key());
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto node = nodes_.find(key);
    if (!node || !evicts(*node)) co_return Outcome::done();
    const auto now = clock_.wall();
    const auto noticed = noticed_.try_emplace(key.name, now).first->second;
    auto outcome = Outcome::done();
    std::vector<Ref<const Pod>> due;
    for (const auto& pod : pods_.indexed(pods_by_node_, key.name)) {
      if (pod->meta.deleted) continue;
      const auto when = eviction_time(*pod, node->taints, noticed);
      if (!when) continue;
      if (*when <= now)
        due.push_back(pod);
      else
        outcome.or_again(when->since_epoch - now.since_epoch);
    }
    MakeTask make = [&](int i) { return evict(api, due[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(due.size()), std::move(make)), "evict from {}", key.name);
    co_return outcome;
  }

 private:
  static bool evicts(const Node& node) {
    return std::any_of(node.taints.begin(), node.taints.end(), [](const auto& t) { return t.effect == "NoExecute"; });
  }

  Task<Result<void>> evict(Api& api, Ref<const Pod> pod) {
    const Condition condition{"DisruptionTarget", "True", "DeletionByTaintManager",
                              "Taint manager: deleting due to NoExecute taint", rfc3339(clock_.wall()), {}};
    const auto patch = pod_condition_patch(*pod, condition);
    const auto key = pod->meta.key();
    const auto written = co_await client::merge_status(api, Pod::resource(), key, patch);
    KL_CHECK(client::unless(Code::not_found, written));
    events_.event(client::reference_to(Pod::resource(), pod->meta), EventType::normal, "TaintManagerEviction",
                  "Marking for deletion Pod " + key.text(), "taint-eviction-controller");
    const auto removed = co_await client::remove(api, Pod::resource(), key, pod->meta.uid);
    co_return client::unless(Code::not_found, removed);
  }

  Clock& clock_;
  client::EventRecorder& events_;
  Informer<Node> nodes_;
  Informer<Pod> pods_;
  size_t pods_by_node_ = 0;
  std::map<std::string, WallTime> noticed_;
};
}  // namespace

RunnerPtr make_node_lifecycle(const Deps& deps) {
  auto runner = deps.runner("node_lifecycle_controller");
  runner->use(std::make_unique<NodeLifecycle>(deps, *runner));
  return runner;
}

RunnerPtr make_taint_eviction(const Deps& deps) {
  auto runner = deps.runner("taint_eviction_controller");
  runner->use(std::make_unique<TaintEviction>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
