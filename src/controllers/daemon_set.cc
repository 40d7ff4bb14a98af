// DaemonSet controller: a pod on each node that the set's template fits.
#include "controllers/internal/daemon_set.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/ownership.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/pod_control.h"
#include "controllers/internal/pod_template.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;

json::Value daemon_status_patch(const DaemonSet& set, const DaemonSet::Status& s) {
  json::Object status = {{"currentNumberScheduled", s.current},
                         {"numberMisscheduled", s.misscheduled},
                         {"desiredNumberScheduled", s.desired},
                         {"numberReady", s.ready},
                         {"updatedNumberScheduled", number_or_null(s.updated)},
                         {"numberAvailable", number_or_null(s.available)},
                         {"numberUnavailable", number_or_null(s.unavailable)},
                         {"observedGeneration", number_or_null(s.observed_generation)}};
  if (s.collisions) status["collisionCount"] = *s.collisions;
  return json::Object{{"metadata", json::Object{{"uid", set.meta.uid}}}, {"status", std::move(status)}};
}

// What of a node decides about daemons.
bool node_differs(const Node& before, const Node& after) {
  if (before.meta.labels != after.meta.labels || before.taints.size() != after.taints.size()) return true;
  for (size_t i = 0; i < after.taints.size(); ++i)
    if (!before.taints[i].same_as(after.taints[i]) || before.taints[i].value != after.taints[i].value) return true;
  return false;
}

class DaemonSets final : public client::Reconciler {
 public:
  DaemonSets(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        control_(deps.events, "daemonset-controller"),
        sets_(runner.reads(deps.informers.of<DaemonSet>())),
        revisions_(runner.reads(deps.informers.of<Revision>())),
        pods_(runner.reads(deps.informers.of<Pod>())),
        nodes_(runner.reads(deps.informers.of<Node>())) {
    revisions_by_owner_ = revisions_.index_by_controller();
    pods_by_owner_ = pods_.index_by_controller();
    orphans_ = pods_.index("orphans", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.meta.controller() && !pod.terminal()) keys.push_back(pod.meta.ns);
    });
    sets_.on_change([this, &runner](const DaemonSet* before, const DaemonSet* after) {
      if (after) runner.add(after->meta.key());
      if (!after) failures_.erase(before->meta.uid);
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (before) wake_owner(runner, *before);
      if (after) wake_owner(runner, *after);
    });
    nodes_.on_change([this, &runner](const Node* before, const Node* after) {
      if (before && after && !node_differs(*before, *after)) return;
      sets_.for_each([&](const DaemonSet& set) { runner.add(set.meta.key()); });
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto set = sets_.find(key);
    if (!set || set->meta.deleted) co_return Outcome::done();
    KL_TRY(pods, co_await claimed(api, set));
    const auto pod_template = spec_template(*set);
    auto revisions = revisions_.indexed(revisions_by_owner_, set->meta.uid);
    sort_revisions(revisions);
    KL_TRY(current, co_await ensure_revision(api, DaemonSet::resource(), *set, revisions, pod_template, set->status.collisions));
    if (!current.revision) co_return co_await count_collision(api, set, *current.collisions);

    const auto hash = current.revision->hash();
    const auto plan = plan_daemons(*set, nodes_.list(), pods, hash, failures_[set->meta.uid], clock_.wall());
    auto done = co_await execute(api, set, plan, pod_template, hash);
    if (!done && namespace_is_going(done.error())) done = Result<void>();
    if (plan.status != set->status) {
      const auto patch = daemon_status_patch(*set, plan.status);
      const auto written = co_await client::merge_status(api, DaemonSet::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    if (!done) co_return done.error();
    failures_[set->meta.uid] = plan.failures;
    std::vector<std::string> live = {hash};
    for (const auto& pod : pods)
      if (const auto* label = pod->meta.label(kRevisionHash)) live.push_back(*label);
    const auto surplus = surplus_revisions(revisions, live, set->history_limit);
    KL_CHECK(co_await remove_revisions(api, surplus));
    auto outcome = Outcome::done();
    outcome.or_again(plan.again_after);
    co_return outcome;
  }

 private:
  void wake_owner(client::Runner& runner, const Pod& pod) {
    if (const auto* owner = pod.meta.controller()) {
      if (owner->kind == "DaemonSet") runner.add({pod.meta.ns, owner->name});
      return;
    }
    for (const auto& set : sets_.list(pod.meta.ns))
      if (client::matches(set->selector, pod.meta.labels)) runner.add(set->meta.key());
  }

  Task<Result<std::vector<Ref<const Pod>>>> claimed(Api& api, Ref<const DaemonSet> set) {
    std::vector<Ref<const Object>> candidates;
    for (const auto& pod : pods_.core().indexed(pods_by_owner_, set->meta.uid)) candidates.push_back(pod);
    for (const auto& pod : pods_.core().indexed(orphans_, set->meta.ns)) candidates.push_back(pod);
    const auto claims = plan_claims(set->meta, set->selector, candidates);
    if (!claims.adopt.empty() || !claims.release.empty()) {
      KL_CHECK(co_await execute_claims(api, DaemonSet::resource(), set->meta, Pod::resource(), claims));
    }
    std::vector<Ref<const Pod>> pods;
    for (const auto* part : {&claims.owned, &claims.adopt})
      for (const auto& pod : *part) pods.push_back(std::static_pointer_cast<const Pod>(pod));
    co_return pods;
  }

  Task<Result<void>> execute(Api& api, Ref<const DaemonSet> set, const DaemonPlan& plan, const json::Value& pod_template,
                             const std::string& hash) {
    const auto about = client::reference_to(DaemonSet::resource(), set->meta);
    for (const auto& pod : plan.ended) {
      const bool failed = pod->phase == Pod::Phase::failed;
      control_.event(about, failed ? EventType::warning : EventType::normal,
                     failed ? "FailedDaemonPod" : "SucceededDaemonPod",
                     fmt::format("Found {} daemon pod {} on node {}, will try to {} it", failed ? "failed" : "succeeded",
                                 pod->meta.key().text(), pod->node_name, failed ? "kill" : "delete"));
    }
    MakeTask remove = [&](int i) { return control_.remove(api, about, plan.remove[static_cast<size_t>(i)]); };
    const auto removed = co_await all(static_cast<int>(plan.remove.size()), std::move(remove));
    std::vector<json::Value> pods;
    for (const auto& node : plan.create) pods.push_back(daemon_pod(*set, pod_template, hash, node));
    MakeTask create = [&](int i) { return control_.create(api, about, pods[static_cast<size_t>(i)]); };
    const auto created = co_await slow_start(static_cast<int>(pods.size()), std::move(create));
    if (!created) co_return created.error();
    co_return removed;
  }

  Task<Result<Outcome>> count_collision(Api& api, Ref<const DaemonSet> set, int collisions) {
    auto status = set->status;
    status.collisions = collisions;
    const auto patch = daemon_status_patch(*set, status);
    const auto key = set->meta.key();
    const auto written = co_await client::merge_status(api, DaemonSet::resource(), key, patch);
    KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    co_return Outcome::again(std::chrono::milliseconds(100));
  }

  Clock& clock_;
  PodControl control_;
  Informer<DaemonSet> sets_;
  Informer<Revision> revisions_;
  Informer<Pod> pods_;
  Informer<Node> nodes_;
  size_t revisions_by_owner_ = 0, pods_by_owner_ = 0, orphans_ = 0;
  std::map<std::string, NodeFailures> failures_;  // by the set's uid; gone with it
};
}  // namespace

RunnerPtr make_daemon_set(const Deps& deps) {
  auto runner = deps.runner("daemonset");
  runner->use(std::make_unique<DaemonSets>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
