// Disruption controller: keeps the status of PodDisruptionBudgets, which evictions go by.
#include "controllers/internal/disruption.h"

#include <set>

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/deployment.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/stateful_set.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

class Disruptions final : public client::Reconciler {
 public:
  Disruptions(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        budgets_(runner.reads(deps.informers.of<Budget>())),
        pods_(runner.reads(deps.informers.of<Pod>())),
        deployments_(deps.informers.of<Deployment>()),
        sets_(deps.informers.of<ReplicaSet>()),
        controllers_(deps.informers.of<ReplicationController>()),
        stateful_(deps.informers.of<StatefulSet>()) {
    budgets_.on_change([&runner](const Budget*, const Budget* after) {
      if (after) runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      for (const auto* pod : {before, after})
        if (pod) wake(runner, pod->meta.ns, [&](const Budget& budget) { return client::matches(budget.selector, pod->meta.labels); });
    });
    const auto scaled = [this, &runner](const auto* before, const auto* after) {
      if (after && (!before || before->replicas != after->replicas)) wake(runner, after->meta.ns, [](const Budget&) { return true; });
    };
    deployments_.on_change([scaled](const Deployment* before, const Deployment* after) { scaled(before, after); });
    sets_.on_change([scaled](const ReplicaSet* before, const ReplicaSet* after) { scaled(before, after); });
    stateful_.on_change([scaled](const StatefulSet* before, const StatefulSet* after) { scaled(before, after); });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto budget = budgets_.find(key);
    if (!budget) co_return Outcome::done();
    const auto pods = pods_.select(key.ns, budget->selector);
    const auto plan = plan_budget(*budget, pods, expected(pods), clock_.wall());
    if (plan.status != budget->status) {
      const auto patch = budget_status_patch(*budget, plan.status);
      const auto written = co_await client::merge_status(api, Budget::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    auto outcome = Outcome::done();
    outcome.or_again(plan.again_after);
    co_return outcome;
  }

 private:
  template <class Wanted>
  void wake(client::Runner& runner, const std::string& ns, Wanted&& wanted) const {
    for (const auto& budget : budgets_.list(ns))
      if (wanted(*budget)) runner.add(budget->meta.key());
  }

  // The sum of what the pods' controllers want.
  Result<int> expected(const std::vector<Ref<const Pod>>& pods) const {
    std::set<std::string> seen;
    int sum = 0;
    for (const auto& pod : pods) {
      const auto* owner = pod->meta.controller();
      if (!owner) return Error(Code::invalid, "found no controller ref for pod \"{}\"", pod->meta.name);
      const auto scale = scale_of(pod->meta.ns, *owner);
      if (!scale) return Error(Code::invalid, "found no controllers for pod \"{}\"", pod->meta.name);
      if (seen.insert(scale->first).second) sum += scale->second;
    }
    return sum;
  }

  // The uid of whoever sets the number of pods, and that number.
  std::optional<std::pair<std::string, int>> scale_of(const std::string& ns, const client::OwnerRef& owner) const {
    const ObjectKey key{ns, owner.name};
    const auto of = [&](const auto& found) -> std::optional<std::pair<std::string, int>> {
      if (!found || found->meta.uid != owner.uid) return std::nullopt;
      return std::pair(found->meta.uid, found->replicas);
    };
    if (owner.kind == "StatefulSet") return of(stateful_.find(key));
    if (owner.kind == "ReplicationController") return of(controllers_.find(key));
    if (owner.kind == "Deployment") return of(deployments_.find(key));
    if (owner.kind != "ReplicaSet") return std::nullopt;
    const auto set = sets_.find(key);
    const auto* above = set && set->meta.uid == owner.uid ? set->meta.controller() : nullptr;
    return above && above->kind == "Deployment" ? scale_of(ns, *above) : of(set);
  }

  Clock& clock_;
  Informer<Budget> budgets_;
  Informer<Pod> pods_;
  Informer<Deployment> deployments_;
  Informer<ReplicaSet> sets_;
  Informer<ReplicationController> controllers_;
  Informer<StatefulSet> stateful_;
};
}  // namespace

RunnerPtr make_disruption(const Deps& deps) {
  auto runner = deps.runner("disruption");
  runner->use(std::make_unique<Disruptions>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
