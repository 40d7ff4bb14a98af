// ReplicaSet controller, and ReplicationController's, which is the same under an older name: keep as many pods as wanted.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/ownership.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/pod_control.h"
#include "controllers/internal/replica_plan.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

json::Value status_patch(const ReplicaSet::Status& status) {
  json::Array conditions;
  for (const auto& c : status.conditions)
    conditions.push_back(json::Object{{"type", c.type},
                                      {"status", c.status},
                                      {"lastTransitionTime", c.transition},
                                      {"reason", c.reason},
                                      {"message", c.message}});
  // Zeros are absent in the canonical form, except replicas.
  const auto number = [](int64_t n) { return n == 0 ? json::Value() : json::Value(n); };
  return json::Object{
      {"status", json::Object{{"replicas", status.replicas},
                              {"fullyLabeledReplicas", number(status.fully_labeled)},
                              {"readyReplicas", number(status.ready)},
                              {"availableReplicas", number(status.available)},
                              {"observedGeneration", number(status.observed_generation)},
                              {"conditions", conditions.empty() ? json::Value() : json::Value(std::move(conditions))}}}};
}

template <class Set>
class ReplicaSets final : public client::Reconciler {
 public:
  ReplicaSets(const Deps& deps, client::Runner& runner, const char* component)
      : clock_(deps.clock),
        control_(deps.events, component),
        sets_(runner.reads(deps.informers.of<Set>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    pods_by_owner_ = pods_.index_by_controller();
    orphans_ = pods_.index("orphans", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.meta.controller() && !pod.terminal()) keys.push_back(pod.meta.ns);
    });
    siblings_ = sets_.index_by_controller();
    sets_.on_change([&runner](const Set*, const Set* after) {
      if (after) runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (before) wake_owner(runner, *before);
      if (after) wake_owner(runner, *after);
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto set = sets_.find(key);
    if (!set) co_return Outcome::done();  // deleted; the garbage collector takes its pods
    const auto claims = claims_of(*set);
    if (!claims.adopt.empty() || !claims.release.empty()) {
      KL_CHECK(co_await execute_claims(api, Set::resource(), set->meta, Pod::resource(), claims));
    }
    std::vector<Ref<const Pod>> pods;
    for (const auto* part : {&claims.owned, &claims.adopt})
      for (const auto& pod : *part) pods.push_back(std::static_pointer_cast<const Pod>(pod));

    const auto template_json = spec_template(*set);
    Result<void> scaled;
    const char* failed = "FailedCreate";
    if (!set->meta.deleted) {
      const auto plan = plan_replicas(*set, pods, siblings_on(*set), clock_.wall());
      if (!plan.remove.empty()) failed = "FailedDelete";
      scaled = co_await execute(api, set, template_json, plan);
      if (!scaled && namespace_is_going(scaled.error())) scaled = Result<void>();
    }
    co_return co_await write_status(api, set, pods, template_json, scaled, failed);
  }

 private:
  void wake_owner(client::Runner& runner, const Pod& pod) {
    if (const auto* owner = pod.meta.controller()) {
      if (owner->kind == Set::resource().kind) runner.add({pod.meta.ns, owner->name});
      return;
    }
    for (const auto& set : sets_.list(pod.meta.ns))
      if (client::matches(set->selector, pod.meta.labels)) runner.add(set->meta.key());
  }

  Claims claims_of(const ReplicaSet& set) const {
    std::vector<Ref<const Object>> candidates;
    for (const auto& pod : pods_.core().indexed(pods_by_owner_, set.meta.uid)) candidates.push_back(pod);
    for (const auto& pod : pods_.core().indexed(orphans_, set.meta.ns)) candidates.push_back(pod);
    return plan_claims(set.meta, set.selector, candidates);
  }

  // Active pods per node of this set and of the sets of the same deployment.
  NodeCounts siblings_on(const ReplicaSet& set) const {
    NodeCounts counts;
    const auto count = [&](const std::string& uid) {
      for (const auto& pod : pods_.indexed(pods_by_owner_, uid))
        if (pod->active()) ++counts[pod->node_name];
    };
    const auto* owner = set.meta.controller();
    if (!owner) {
      count(set.meta.uid);
      return counts;
    }
    for (const auto& sibling : sets_.indexed(siblings_, owner->uid)) count(sibling->meta.uid);
    return counts;
  }

  Task<Result<void>> execute(Api& api, Ref<const ReplicaSet> set, const json::Value& template_json, const ReplicaPlan& plan) {
    const auto about = client::reference_to(Set::resource(), set->meta);
    if (plan.create > 0) {
      const auto pod = pod_from(template_json, client::controller_ref(Set::resource(), set->meta));
      MakeTask make = [&](int) { return control_.create(api, about, pod); };
      co_return co_await slow_start(plan.create, std::move(make));
    }
    MakeTask make = [&](int i) { return control_.remove(api, about, plan.remove[static_cast<size_t>(i)]); };
    co_return co_await all(static_cast<int>(plan.remove.size()), std::move(make));
  }

  Task<Result<Outcome>> write_status(Api& api, Ref<const ReplicaSet> set, const std::vector<Ref<const Pod>>& pods,
                                     const json::Value& template_json, const Result<void>& scaled, const char* failed) {
    std::optional<Condition> failure;
    if (!scaled) failure = Condition{"ReplicaFailure", "True", failed, scaled.error().message(), rfc3339(clock_.wall()), {}};
    const auto status = replica_status(*set, pods, client::pairs_of(json::find(template_json, {"metadata", "labels"})),
                                       failure, clock_.wall());
    if (status != set->status) {
      const auto patch = status_patch(status);
      const auto key = set->meta.key();
      const auto written = co_await client::merge_status(api, Set::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    if (!scaled) co_return scaled.error();
    auto outcome = Outcome::done();
    outcome.or_again(next_available(pods, std::chrono::seconds(set->min_ready_seconds), clock_.wall()));
    co_return outcome;
  }

  Clock& clock_;
  PodControl control_;
  Informer<Set> sets_;
  Informer<Pod> pods_;
  size_t pods_by_owner_ = 0, orphans_ = 0, siblings_ = 0;
};
}  // namespace

RunnerPtr make_replica_set(const Deps& deps) {
  auto runner = deps.runner("replicaset");
  runner->use(std::make_unique<ReplicaSets<ReplicaSet>>(deps, *runner, "replicaset-controller"));
  return runner;
}

RunnerPtr make_replication_controller(const Deps& deps) {
  auto runner = deps.runner("replicationcontroller");
  runner->use(std::make_unique<ReplicaSets<ReplicationController>>(deps, *runner, "replication-controller"));
  return runner;
}

}  // namespace kinglet::controllers
