// StatefulSet controller: pods with names and volumes that stay, started and renewed in order.
#include "controllers/internal/stateful_set.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/batch.h"
#include "controllers/internal/ownership.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/pod_control.h"
#include "controllers/internal/pod_template.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;

class StatefulSets final : public client::Reconciler {
 public:
  StatefulSets(const Deps& deps, client::Runner& runner)
      : clock_(deps.clock),
        control_(deps.events, "statefulset-controller"),
        sets_(runner.reads(deps.informers.of<StatefulSet>())),
        revisions_(runner.reads(deps.informers.of<Revision>())),
        pods_(runner.reads(deps.informers.of<Pod>())),
        claims_(runner.reads(deps.informers.of<Claim>())) {
    revisions_by_owner_ = revisions_.index_by_controller();
    pods_by_owner_ = pods_.index_by_controller();
    orphans_ = pods_.index("orphans", [](const Pod& pod, std::vector<std::string>& keys) {
      if (!pod.meta.controller() && !pod.terminal()) keys.push_back(pod.meta.ns);
    });
    sets_.on_change([&runner](const StatefulSet*, const StatefulSet* after) {
      if (after) runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (before) wake_owner(runner, *before);
      if (after) wake_owner(runner, *after);
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto set = sets_.find(key);
    if (!set) co_return Outcome::done();
    KL_TRY(pods, co_await claimed(api, set));
    const auto pod_template = spec_template(*set);
    auto revisions = revisions_.indexed(revisions_by_owner_, set->meta.uid);
    sort_revisions(revisions);
    KL_TRY(update, co_await ensure_revision(api, StatefulSet::resource(), *set, revisions, pod_template, set->status.collisions));
    if (!update.revision) co_return co_await count_collision(api, set, *update.collisions);
    const auto current = current_revision(*set, revisions, update.revision);

    const auto& update_name = update.revision->meta.name;
    const auto plan = plan_stateful_set(*set, pods, current->meta.name, update_name, clock_.wall());
    auto done = co_await execute(api, set, plan, current, update.revision);
    if (!done && namespace_is_going(done.error())) done = Result<void>();
    if (plan.status != set->status) {
      const auto patch = stateful_status_patch(*set, plan.status);
      const auto written = co_await client::merge_status(api, StatefulSet::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    }
    if (!done) co_return done.error();
    std::vector<std::string> live = {current->meta.name, update_name};
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
      if (owner->kind == "StatefulSet") runner.add({pod.meta.ns, owner->name});
      return;
    }
    for (const auto& set : sets_.list(pod.meta.ns))
      if (client::matches(set->selector, pod.meta.labels)) runner.add(set->meta.key());
  }

  Task<Result<std::vector<Ref<const Pod>>>> claimed(Api& api, Ref<const StatefulSet> set) {
    std::vector<Ref<const Object>> candidates;
    for (const auto& pod : pods_.core().indexed(pods_by_owner_, set->meta.uid)) candidates.push_back(pod);
    for (const auto& pod : pods_.core().indexed(orphans_, set->meta.ns))
      if (ordinal_of(*set, pod->meta.name) >= 0) candidates.push_back(pod);  // others could never be its own
    const auto claims = plan_claims(set->meta, set->selector, candidates);
    if (!claims.adopt.empty() || !claims.release.empty()) {
      KL_CHECK(co_await execute_claims(api, StatefulSet::resource(), set->meta, Pod::resource(), claims));
    }
    std::vector<Ref<const Pod>> pods;
    for (const auto* part : {&claims.owned, &claims.adopt})
      for (const auto& pod : *part) pods.push_back(std::static_pointer_cast<const Pod>(pod));
    co_return pods;
  }

  static Ref<const Revision> current_revision(const StatefulSet& set, const Revisions& revisions, Ref<const Revision> update) {
    for (const auto& revision : revisions)
      if (revision->meta.name == set.status.current_revision && revision->meta.name != update->meta.name) return revision;
    return update;
  }

  Task<Result<void>> execute(Api& api, Ref<const StatefulSet> set, const StatefulPlan& plan, Ref<const Revision> current,
                             Ref<const Revision> update) {
    const auto about = client::reference_to(StatefulSet::resource(), set->meta);
    for (const auto& told : plan.events) control_.event(about, told.type, told.reason, told.message);
    for (const auto& pod : pods_.indexed(pods_by_owner_, set->meta.uid)) {
      const bool leaving = std::find(plan.scaled_away.begin(), plan.scaled_away.end(), pod) != plan.scaled_away.end();
      const int ordinal = ordinal_of(*set, pod->meta.name);
      if (ordinal >= 0 && (leaving || set->wanted(ordinal))) KL_CHECK(co_await own_claims(api, set, pod, leaving));
    }
    MakeTask remove = [&](int i) { return remove_pod(api, set, plan.remove[static_cast<size_t>(i)]); };
    KL_CHECK(co_await all(static_cast<int>(plan.remove.size()), std::move(remove)));
    MakeTask create = [&](int i) {
      const auto& wanted = plan.create[static_cast<size_t>(i)];
      return create_pod(api, set, wanted.ordinal, wanted.updated ? update : current);
    };
    co_return co_await slow_start(static_cast<int>(plan.create.size()), std::move(create));
  }

  Task<Result<void>> create_pod(Api& api, Ref<const StatefulSet> set, int ordinal, Ref<const Revision> revision) {
    const auto about = client::reference_to(StatefulSet::resource(), set->meta);
    const auto name = fmt::format("{}-{}", set->meta.name, ordinal);
    KL_CHECK(co_await create_claims(api, set, ordinal));
    const auto pod = stateful_pod(*set, template_in(*revision), ordinal, revision->meta.name);
    const auto made = co_await client::create(api, Pod::resource(), set->meta.ns, pod);
    if (made) {
      control_.event(about, EventType::normal, "SuccessfulCreate",
                     fmt::format("create Pod {} in StatefulSet {} successful", name, set->meta.name));
      co_return Result<void>();
    }
    if (made.is(Code::already_exists)) co_return Result<void>();  // ours comes with the cache; another's must go first
    if (!namespace_is_going(made.error()))
      control_.event(about, EventType::warning, "FailedCreate",
                     fmt::format("create Pod {} in StatefulSet {} failed error: {}", name, set->meta.name, made.error().message()));
    co_return made.error();
  }

  Task<Result<void>> create_claims(Api& api, Ref<const StatefulSet> set, int ordinal) {
    const auto about = client::reference_to(StatefulSet::resource(), set->meta);
    const auto wanted = claims_for(*set, ordinal);
    for (const auto& claim : wanted) {
      const ObjectKey key{set->meta.ns, client::string_at(claim, {"metadata", "name"})};
      if (const auto there = claims_.find(key)) {
        if (!there->meta.deleted) continue;
        co_return Error(Code::conflict, "pvc {} is being deleted", key.name);
      }
      const auto made = co_await client::create(api, Claim::resource(), key.ns, claim);
      if (made.is(Code::already_exists)) continue;
      const bool ok = made.has_value();
      control_.event(about, ok ? EventType::normal : EventType::warning, ok ? "SuccessfulCreate" : "FailedCreate",
                     fmt::format("create Claim {} Pod {}-{} in StatefulSet {} {}", key.name, set->meta.name, ordinal,
                                 set->meta.name, ok ? "success" : "failed error: " + made.error().message()));
      if (!ok) co_return made.error();
    }
    co_return Result<void>();
  }

  // The retention policy, as owner references: the garbage collector does the rest.
  Task<Result<void>> own_claims(Api& api, Ref<const StatefulSet> set, Ref<const Pod> pod, bool leaving) {
    const int ordinal = ordinal_of(*set, pod->meta.name);
    for (const auto& name : set->claim_templates) {
      const auto claim = claims_.find({set->meta.ns, claim_name(name, *set, ordinal)});
      if (!claim || claim->meta.deleted) continue;
      const auto owners = claim_owners(*set, *claim, leaving ? pod.get() : nullptr);
      if (owners == claim->meta.owners) continue;
      json::Array list;
      for (const auto& owner : owners) list.push_back(client::to_json(owner));
      const json::Value patch = json::Object{
          {"metadata", json::Object{{"uid", claim->meta.uid},
                                    {"ownerReferences", list.empty() ? json::Value() : json::Value(std::move(list))}}}};
      const auto key = claim->meta.key();
      const auto written = co_await client::merge(api, Claim::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "owners of {}", key.text());
    }
    co_return Result<void>();
  }

  Task<Result<void>> remove_pod(Api& api, Ref<const StatefulSet> set, Ref<const Pod> pod) {
    const auto key = pod->meta.key();
    const auto removed = co_await client::remove(api, Pod::resource(), key, pod->meta.uid);
    const auto about = client::reference_to(StatefulSet::resource(), set->meta);
    if (removed)
      control_.event(about, EventType::normal, "SuccessfulDelete",
                     fmt::format("delete Pod {} in StatefulSet {} successful", key.name, set->meta.name));
    else if (!removed.is(Code::not_found))
      control_.event(about, EventType::warning, "FailedDelete",
                     fmt::format("delete Pod {} in StatefulSet {} failed error: {}", key.name, set->meta.name,
                                 removed.error().message()));
    co_return client::unless(Code::not_found, removed);
  }

  Task<Result<Outcome>> count_collision(Api& api, Ref<const StatefulSet> set, int collisions) {
    auto status = set->status;
    status.collisions = collisions;
    const auto patch = stateful_status_patch(*set, status);
    const auto key = set->meta.key();
    const auto written = co_await client::merge_status(api, StatefulSet::resource(), key, patch);
    KL_CHECK(client::unless(Code::not_found, written), "status of {}", key.text());
    co_return Outcome::again(std::chrono::milliseconds(100));
  }

  Clock& clock_;
  PodControl control_;
  Informer<StatefulSet> sets_;
  Informer<Revision> revisions_;
  Informer<Pod> pods_;
  Informer<Claim> claims_;
  size_t revisions_by_owner_ = 0, pods_by_owner_ = 0, orphans_ = 0;
};
}  // namespace

RunnerPtr make_stateful_set(const Deps& deps) {
  auto runner = deps.runner("statefulset");
  runner->use(std::make_unique<StatefulSets>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
