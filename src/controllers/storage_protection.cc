// Finalizers that keep a claim while pods use it, and a volume while a claim is bound to it.
// Source: upstream's pvc-protection and pv-protection controllers.
#include "base/task.h"
#include "client/volumes.h"
#include "client/write.h"
#include "controllers/internal/job.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Claim;
using client::Informer;
using client::Outcome;
using client::Volume;
constexpr char kClaimFinalizer[] = "kubernetes.io/pvc-protection";
constexpr char kVolumeFinalizer[] = "kubernetes.io/pv-protection";

// Adds the finalizer, or takes it off from what is being deleted and no longer `held`.
Task<Result<void>> protect(Api& api, const schema::Resource& resource, Ref<const Object> object, const char* finalizer, bool held) {
  const bool has = object->meta.has_finalizer(finalizer);
  const bool deleted = object->meta.deleted.has_value();
  if (has != deleted || (deleted && held)) co_return Result<void>();
  json::Value patch;
  if (deleted) {
    patch = finalizer_patch(object->meta, finalizer);
  } else {
    json::Array finalizers;
    for (const auto& name : object->meta.finalizers) finalizers.push_back(json::Value(name));
    finalizers.push_back(json::Value(finalizer));
    patch = json::Object{{"metadata", json::Object{{"uid", object->meta.uid},
                                                   {"resourceVersion", std::to_string(object->meta.revision)},
                                                   {"finalizers", std::move(finalizers)}}}};
  }
  const auto key = object->meta.key();
  const auto written = co_await client::merge(api, resource, key, patch);
  co_return client::unless(Code::not_found, written);
}

class ClaimProtection final : public client::Reconciler {
 public:
  ClaimProtection(const Deps& deps, client::Runner& runner)
      : claims_(runner.reads(deps.informers.of<Claim>())), pods_(runner.reads(deps.informers.of<Pod>())) {
    pods_of_claim_ = pods_.index("claim", [](const Pod& pod, std::vector<std::string>& keys) {
      if (pod.terminal()) return;
      for (const auto& name : client::claim_names_of(pod)) keys.push_back(pod.meta.ns + "/" + name);
    });
    claims_.on_change([&runner](const Claim*, const Claim* after) {
      if (after) runner.add(after->meta.key());
    });
    pods_.on_change([this, &runner](const Pod* before, const Pod* after) {
      if (!before || (after && !after->terminal())) return;
      for (const auto& name : client::claim_names_of(*before)) {
        const auto claim = claims_.find({before->meta.ns, name});
        if (claim && claim->meta.deleted) runner.add(claim->meta.key());
      }
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto claim = claims_.find(key);
    if (!claim) co_return Outcome::done();
    // A pod that was never given to a node cannot have touched the volume.
    const auto users = pods_.indexed(pods_of_claim_, key.text());
    const bool held = std::any_of(users.begin(), users.end(), [](const auto& pod) { return !pod->node_name.empty(); });
    KL_CHECK(co_await protect(api, Claim::resource(), claim, kClaimFinalizer, held), "protect {}", key.text());
    co_return Outcome::done();
  }

 private:
  Informer<Claim> claims_;
  Informer<Pod> pods_;
  size_t pods_of_claim_ = 0;
};

class VolumeProtection final : public client::Reconciler {
 public:
  VolumeProtection(const Deps& deps, client::Runner& runner) : volumes_(runner.reads(deps.informers.of<Volume>())) {
    volumes_.on_change([&runner](const Volume*, const Volume* after) {
      if (after) runner.add(after->meta.key());
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto volume = volumes_.find(key);
    if (!volume) co_return Outcome::done();
    const bool held = volume->phase == "Bound";
    KL_CHECK(co_await protect(api, Volume::resource(), volume, kVolumeFinalizer, held), "protect {}", key.name);
    co_return Outcome::done();
  }

 private:
  Informer<Volume> volumes_;
};
}  // namespace

RunnerPtr make_claim_protection(const Deps& deps) {
  auto runner = deps.runner("pvc_protection");
  runner->use(std::make_unique<ClaimProtection>(deps, *runner));
  return runner;
}

RunnerPtr make_volume_protection(const Deps& deps) {
  auto runner = deps.runner("pv_protection");
  runner->use(std::make_unique<VolumeProtection>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
