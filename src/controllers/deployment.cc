// Deployment controller: rolls pods from one template to the next through replica sets.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/deployment.h"
#include "controllers/internal/ownership.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;
constexpr char kComponent[] = "deployment-controller";

json::Value status_patch(const Deployment::Status& status) {
  json::Array conditions;
  for (const auto& c : status.conditions)
    conditions.push_back(json::Object{{"type", c.type},
                                      {"status", c.status},
                                      {"lastUpdateTime", c.updated},
                                      {"lastTransitionTime", c.transition},
                                      {"reason", c.reason},
                                      {"message", c.message}});
  const auto number = [](int64_t n) { return n == 0 ? json::Value() : json::Value(n); };
  json::Object out = {{"observedGeneration", number(status.observed_generation)},
                      {"replicas", number(status.replicas)},
                      {"updatedReplicas", number(status.updated)},
                      {"readyReplicas", number(status.ready)},
                      {"availableReplicas", number(status.available)},
                      {"unavailableReplicas", number(status.unavailable)},
                      {"conditions", std::move(conditions)}};
  if (status.collisions) out["collisionCount"] = *status.collisions;
  return json::Object{{"status", std::move(out)}};
}

// The replica set of a deployment's current template.
json::Value new_set(const Deployment& d, const DeploymentPlan::NewSet& plan) {
  const auto object = whole(d);
  auto pods = template_of(d);
  const auto stamp = [&](json::Object& in) { json::child(in, "labels")[kTemplateHash] = plan.hash; };
  stamp(json::child(pods.as_object(), "metadata"));
  json::Value selector = json::Object{};
  if (const auto* own = json::find(object, {"spec", "selector"}); own && own->is_object()) selector = *own;
  json::child(selector.as_object(), "matchLabels")[kTemplateHash] = plan.hash;
  json::Object meta = {{"name", d.meta.name + "-" + plan.hash},
                       {"namespace", d.meta.ns},
                       {"annotations", client::object_of(plan.annotations)},
                       {"ownerReferences",
                        json::Array{client::to_json(client::controller_ref(Deployment::resource(), d.meta))}}};
  if (const auto* labels = json::find(pods, {"metadata", "labels"})) meta["labels"] = *labels;
  json::Object spec = {{"replicas", plan.replicas}, {"selector", std::move(selector)}, {"template", std::move(pods)}};
  if (d.min_ready_seconds > 0) spec["minReadySeconds"] = d.min_ready_seconds;
  return json::Object{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"metadata", std::move(meta)}, {"spec", std::move(spec)}};
}

class Deployments final : public client::Reconciler {
 public:
  Deployments(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        events_(deps.events),
        deployments_(runner.reads(deps.informers.of<Deployment>())),
        sets_(runner.reads(deps.informers.of<ReplicaSet>())),
        pods_(runner.reads(deps.informers.of<Pod>())) {
    sets_by_owner_ = sets_.index_by_controller();
    pods_by_owner_ = pods_.index_by_controller();
    deployments_.on_change([&runner](const Deployment*, const Deployment* after) {
      if (after) runner.add(after->meta.key());
    });
    sets_.on_change([this, &runner](const ReplicaSet* before, const ReplicaSet* after) {
      if (before) wake_owner(runner, *before);
      if (after) wake_owner(runner, *after);
    });
    // Recreate waits until the last old pod has gone; nobody else needs the pods.
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (before && (!after || after->terminal())) wake_recreate(runner, *before);
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto deployment = deployments_.find(key);
    if (!deployment) co_return Outcome::done();
    KL_TRY(sets, co_await claimed_sets(api, deployment));
    const auto plan = plan_deployment(*deployment, sets, old_pods_run(*deployment, sets), clock_.wall());
    KL_CHECK(co_await execute(api, deployment, plan));
    if (plan.status != deployment->status) {
      const auto patch = status_patch(plan.status);
      const auto written = co_await client::merge_status(api, Deployment::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    auto outcome = Outcome::done();
    outcome.or_again(plan.again_after);
    co_return outcome;
  }

 private:
  void wake_owner(client::Runner& runner, const ReplicaSet& set) {
    if (const auto* owner = set.meta.controller()) {
      if (owner->kind == "Deployment") runner.add({set.meta.ns, owner->name});
      return;
    }
    for (const auto& d : deployments_.list(set.meta.ns))
      if (client::matches(d->selector, set.meta.labels)) runner.add(d->meta.key());
  }

  void wake_recreate(client::Runner& runner, const Pod& pod) {
    const auto* set_ref = pod.meta.controller();
    if (!set_ref || set_ref->kind != "ReplicaSet") return;
    const auto set = sets_.find({pod.meta.ns, set_ref->name});
    const auto* owner = set ? set->meta.controller() : nullptr;
    if (!owner || owner->kind != "Deployment") return;
    const auto deployment = deployments_.find({pod.meta.ns, owner->name});
    if (deployment && deployment->recreate) runner.add(deployment->meta.key());
  }

  bool old_pods_run(const Deployment& deployment, const Sets& sets) const {
    if (!deployment.recreate) return false;
    const auto newest = find_new_set(deployment, sets);
    for (const auto& set : sets) {
      if (set == newest) continue;
      for (const auto& pod : pods_.indexed(pods_by_owner_, set->meta.uid))
        if (!pod->terminal()) return true;
    }
    return false;
  }

  Task<Result<Sets>> claimed_sets(Api& api, Ref<const Deployment> deployment) {
    std::vector<Ref<const Object>> candidates;
    for (const auto& set : sets_.core().indexed(sets_by_owner_, deployment->meta.uid)) candidates.push_back(set);
    for (const auto& set : sets_.list(deployment->meta.ns))
      if (!set->meta.controller()) candidates.push_back(set);
    const auto claims = plan_claims(deployment->meta, deployment->selector, candidates);
    if (!claims.adopt.empty() || !claims.release.empty()) {
      KL_CHECK(co_await execute_claims(api, Deployment::resource(), deployment->meta, ReplicaSet::resource(), claims));
    }
    Sets sets;
    for (const auto* part : {&claims.owned, &claims.adopt})
      for (const auto& set : *part) sets.push_back(std::static_pointer_cast<const ReplicaSet>(set));
    co_return sets;
  }

  Task<Result<void>> execute(Api& api, Ref<const Deployment> deployment, const DeploymentPlan& plan) {
    if (plan.create) KL_CHECK(co_await create_set(api, deployment, *plan.create));
    for (const auto& step : plan.scale) KL_CHECK(co_await scale_set(api, deployment, step));
    for (const auto& note : plan.annotate) {
      json::Object patch = {{"metadata", json::Object{{"annotations", client::object_of(note.annotations)}}}};
      if (note.min_ready_seconds) patch["spec"] = json::Object{{"minReadySeconds", *note.min_ready_seconds}};
      const json::Value change = std::move(patch);
      const auto key = note.set->meta.key();
      const auto written = co_await client::merge(api, ReplicaSet::resource(), key, change);
      KL_CHECK(client::unless(Code::not_found, written), "annotate {}", key.text());
    }
    for (const auto& set : plan.remove) {
      const auto key = set->meta.key();
      const auto removed = co_await client::remove(api, ReplicaSet::resource(), key, set->meta.uid);
      KL_CHECK(client::unless(Code::not_found, removed), "clean up {}", key.text());
    }
    const auto* revision = deployment->meta.annotation(kRevision);
    if (plan.revision.empty() || (revision && *revision == plan.revision)) co_return Result<void>();
    const json::Value change = json::Object{
        {"metadata", json::Object{{"annotations", json::Object{{kRevision, plan.revision}}}}}};
    const auto key = deployment->meta.key();
    const auto written = co_await client::merge(api, Deployment::resource(), key, change);
    co_return client::unless(Code::not_found, written);
  }

  Task<Result<void>> create_set(Api& api, Ref<const Deployment> deployment, const DeploymentPlan::NewSet& plan) {
    const auto object = new_set(*deployment, plan);
    const auto made = co_await client::create(api, ReplicaSet::resource(), deployment->meta.ns, object);
    const auto name = deployment->meta.name + "-" + plan.hash;
    if (made) {
      events_.event(client::reference_to(Deployment::resource(), deployment->meta), EventType::normal,
                    "ScalingReplicaSet", fmt::format("Scaled up replica set {} from 0 to {}", name, plan.replicas),
                    kComponent);
      co_return Result<void>();
    }
    if (!made.is(Code::already_exists)) co_return made.error();
    co_return co_await resolve_collision(api, deployment, name);
  }

  // The name is taken: by our own set, which the cache has not shown yet, or by another template with the same hash.
  // Then the next attempt takes another hash.
  Task<Result<void>> resolve_collision(Api& api, Ref<const Deployment> deployment, std::string name) {
    const ObjectKey key{deployment->meta.ns, name};
    KL_TRY(bytes, co_await client::get(api, ReplicaSet::resource(), key));
    KL_TRY(value, json::parse(bytes.view()));
    const auto set = ReplicaSet::decode(value);
    set->meta = client::decode_meta(value);
    set->raw = bytes;
    const auto* owner = set->meta.controller();
    if (owner && owner->uid == deployment->meta.uid && template_of(*set) == template_of(*deployment))
      co_return Result<void>();
    const json::Value change = json::Object{
        {"status", json::Object{{"collisionCount", deployment->status.collisions.value_or(0) + 1}}}};
    const auto deployment_key = deployment->meta.key();
    const auto written = co_await client::merge_status(api, Deployment::resource(), deployment_key, change);
    if (!written) co_return written.error();
    co_return Error(Code::already_exists, "the name {} is taken by another template", name);
  }

  Task<Result<void>> scale_set(Api& api, Ref<const Deployment> deployment, const SetScale& step) {
    const json::Value change = json::Object{{"spec", json::Object{{"replicas", step.to}}}};
    const auto key = step.set->meta.key();
    const auto written = co_await client::merge(api, ReplicaSet::resource(), key, change);
    KL_CHECK(client::unless(Code::not_found, written), "scale {}", key.text());
    const int from = step.set->replicas;
    events_.event(client::reference_to(Deployment::resource(), deployment->meta), EventType::normal,
                  "ScalingReplicaSet",
                  fmt::format("Scaled {} replica set {} from {} to {}", step.to > from ? "up" : "down", key.name, from,
                              step.to),
                  kComponent);
    co_return Result<void>();
  }

  Clock& clock_;
  client::EventRecorder& events_;
  Informer<Deployment> deployments_;
  Informer<ReplicaSet> sets_;
  Informer<Pod> pods_;
  size_t sets_by_owner_ = 0, pods_by_owner_ = 0;
};
}  // namespace

RunnerPtr make_deployment(const Deps& deps) {
  auto runner = deps.runner("deployment");
  runner->use(std::make_unique<Deployments>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
