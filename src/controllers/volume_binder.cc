// PersistentVolume controllers: bind claims to volumes, make local-path volumes, take back what was given up.
#include "controllers/internal/volume_binder.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/status_json.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;
constexpr char kBinder[] = "persistentvolume-controller";
constexpr char kProvisioner[] = "rancher.io/local-path";
// A directory that cannot be removed (its node is away) is tried again this often.
constexpr Duration kReclaimRetry = std::chrono::seconds(30);

json::Value claim_status(const Claim& claim, const Volume* volume, const char* phase) {
  json::Object status = {{"phase", phase}};
  if (volume) {
    const auto object = whole(*volume);
    if (const auto* modes = json::find(object, {"spec", "accessModes"})) status["accessModes"] = *modes;
    if (const auto* capacity = json::find(object, {"spec", "capacity"})) status["capacity"] = *capacity;
  }
  return json::Object{{"metadata", json::Object{{"uid", claim.meta.uid}}}, {"status", std::move(status)}};
}

class ClaimBinder final : public client::Reconciler {
 public:
  ClaimBinder(const Deps& deps, client::Runner& runner)
      : events_(deps.events),
        storage_dir_(deps.options.storage_dir),
        claims_(runner.reads(deps.informers.of<Claim>())),
        volumes_(runner.reads(deps.informers.of<Volume>())),
        classes_(runner.reads(deps.informers.of<StorageClass>())),
        nodes_(deps.informers.of<Node>()) {
    claims_.on_change([this, &runner](const Claim* before, const Claim* after) {
      if (after) runner.add(after->meta.key());
      if (!after) told_.erase(before->meta.uid);
    });
    // A volume or class that comes, goes or gets free may be what a claim waits for.
    volumes_.on_change([this, &runner](const Volume* before, const Volume* after) {
      for (const auto* volume : {before, after})
        if (volume && !volume->claim_name.empty()) runner.add({volume->claim_ns, volume->claim_name});
      if (after && after->claim_name.empty()) wake_waiting(runner);
    });
    classes_.on_change([this, &runner](const StorageClass*, const StorageClass*) { wake_waiting(runner); });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto claim = claims_.find(key);
    if (!claim) co_return Outcome::done();
    const auto node = claim->selected_node().empty() ? nullptr : nodes_.find({"", claim->selected_node()});
    const auto plan = plan_claim(*claim, volumes_.list(), classes_.list(), node.get());
    tell(*claim, plan);
    using Step = ClaimPlan::Step;
    Result<void> done;
    switch (plan.step) {
      case Step::bind: done = co_await bind(api, claim, plan.volume); break;
      case Step::confirm: done = co_await write_status(api, claim, plan.volume, "Bound"); break;
      case Step::lost: done = co_await write_status(api, claim, nullptr, "Lost"); break;
      case Step::provision: done = co_await provision(api, claim, plan.storage_class, node); break;
      case Step::ask: done = co_await annotate(api, claim, kStorageProvisioner, plan.storage_class->provisioner); break;
      case Step::set_class: done = co_await set_class(api, claim, plan.storage_class); break;
      case Step::none: done = co_await write_status(api, claim, nullptr, "Pending"); break;
    }
    if (!done) co_return done.error();
    co_return Outcome::done();
  }

 private:
  void wake_waiting(client::Runner& runner) const {
    claims_.for_each([&](const Claim& claim) {
      if (!claim.bound()) runner.add(claim.meta.key());
    });
  }

  // What a claim waits for, once until it changes.
  void tell(const Claim& claim, const ClaimPlan& plan) {
    auto& before = told_[claim.meta.uid];
    if (std::exchange(before, plan.message) == plan.message || plan.message.empty()) return;
    const bool waits = plan.reason == "WaitForFirstConsumer" || plan.reason == "ExternalProvisioning" || plan.reason == "FailedBinding";
    events_.event(client::reference_to(Claim::resource(), claim.meta), waits ? EventType::normal : EventType::warning, plan.reason,
                  plan.message, kBinder);
  }

  static Task<Result<void>> write_status(Api& api, Ref<const Claim> claim, Ref<const Volume> volume, const char* phase) {
    if (claim->phase == phase && (!volume || claim->has_bytes > 0)) co_return Result<void>();
    const auto patch = claim_status(*claim, volume.get(), phase);
    const auto key = claim->meta.key();
    const auto written = co_await client::merge_status(api, Claim::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  // The volume first: only one claim can get it, since the write fails when somebody else was there before.
  static Task<Result<void>> bind(Api& api, Ref<const Claim> claim, Ref<const Volume> volume) {
    const auto key = claim->meta.key();
    const auto volume_key = volume->meta.key();
    if (volume->claim_uid != claim->meta.uid) {
      const json::Value patch = json::Object{
          {"metadata", json::Object{{"resourceVersion", std::to_string(volume->meta.revision)},
                                    {"annotations", json::Object{{kBoundByController, "yes"}}}}},
          {"spec", json::Object{{"claimRef", claim_reference(*claim)}}}};
      const auto written = co_await client::merge(api, Volume::resource(), volume_key, patch);
      if (!written) co_return written.error();
    }
    if (volume->phase != "Bound") {
      const json::Value patch = json::Object{{"status", json::Object{{"phase", "Bound"}}}};
      const auto written = co_await client::merge_status(api, Volume::resource(), volume_key, patch);
      if (!written) co_return written.error();
    }
    json::Object annotations = {{kBindCompleted, "yes"}};
    if (claim->volume_name.empty()) annotations[kBoundByController] = "yes";
    const json::Value patch =
        json::Object{{"metadata", json::Object{{"uid", claim->meta.uid}, {"annotations", std::move(annotations)}}},
                     {"spec", json::Object{{"volumeName", volume->meta.name}}}};
    const auto written = co_await client::merge(api, Claim::resource(), key, patch);
    if (!written) co_return client::unless(Code::not_found, written);
    co_return co_await write_status(api, claim, volume, "Bound");
  }

  Task<Result<void>> provision(Api& api, Ref<const Claim> claim, Ref<const StorageClass> storage, Ref<const Node> node) {
    const auto about = client::reference_to(Claim::resource(), claim->meta);
    const auto object = local_path_volume(*claim, *storage, *node, storage_dir_);
    const auto made = co_await client::create(api, Volume::resource(), "", object);
    if (made)
      events_.event(about, EventType::normal, "ProvisioningSucceeded",
                    "Successfully provisioned volume pvc-" + claim->meta.uid, kProvisioner);
    else if (!made.is(Code::already_exists))
      events_.event(about, EventType::warning, "ProvisioningFailed", made.error().message(), kProvisioner);
    co_return client::unless(Code::already_exists, made);  // the volume's appearance wakes the claim
  }

  static Task<Result<void>> annotate(Api& api, Ref<const Claim> claim, const char* name, const std::string& value) {
    if (const auto* has = claim->meta.annotation(name); has && *has == value)
      co_return co_await write_status(api, claim, nullptr, "Pending");
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"uid", claim->meta.uid}, {"annotations", json::Object{{name, value}}}}}};
    const auto key = claim->meta.key();
    const auto written = co_await client::merge(api, Claim::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  static Task<Result<void>> set_class(Api& api, Ref<const Claim> claim, Ref<const StorageClass> storage) {
    const json::Value patch = json::Object{{"metadata", json::Object{{"uid", claim->meta.uid}}},
                                           {"spec", json::Object{{"storageClassName", storage->meta.name}}}};
    const auto key = claim->meta.key();
    const auto written = co_await client::merge(api, Claim::resource(), key, patch);
    co_return client::unless(Code::not_found, written);
  }

  client::EventRecorder& events_;
  std::string storage_dir_;
  Informer<Claim> claims_;
  Informer<Volume> volumes_;
  Informer<StorageClass> classes_;
  Informer<Node> nodes_;
  std::map<std::string, std::string> told_;  // by the claim's uid; gone with it
};

class VolumesReclaimed final : public client::Reconciler {
 public:
  VolumesReclaimed(const Deps& deps, client::Runner& runner)
      : events_(deps.events),
        remove_directory_(deps.options.remove_directory),
        claims_(runner.reads(deps.informers.of<Claim>())),
        volumes_(runner.reads(deps.informers.of<Volume>())) {
    volumes_.on_change([&runner](const Volume*, const Volume* after) {
      if (after) runner.add(after->meta.key());
    });
    claims_.on_change([&runner](const Claim* before, const Claim* after) {
      const auto* claim = after ? after : before;
      if ((!after || !before || before->volume_name != after->volume_name) && !claim->volume_name.empty())
        runner.add({"", claim->volume_name});
      if (!after) runner.add({"", "pvc-" + claim->meta.uid});
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto volume = volumes_.find(key);
    if (!volume) co_return Outcome::done();
    const auto claim = volume->claim_name.empty() ? nullptr : claims_.find({volume->claim_ns, volume->claim_name});
    const auto plan = plan_volume(*volume, claim.get());
    if (!plan.phase.empty()) {
      const json::Value patch = json::Object{{"metadata", json::Object{{"uid", volume->meta.uid}}},
                                             {"status", json::Object{{"phase", plan.phase}}}};
      const auto written = co_await client::merge_status(api, Volume::resource(), key, patch);
      KL_CHECK(client::unless(Code::not_found, written), "phase of {}", key.name);
    }
    if (!plan.reclaim) co_return Outcome::done();
    if (!remove_directory_) co_return Outcome::done();  // nobody here can: the volume stays released
    const auto* node = volume->meta.annotation("local.path.provisioner/selected-node");
    const std::string where = node ? *node : "";
    const std::string path = local_path_of(*volume);
    auto removal = remove_directory_(where, path);
    const auto removed = co_await std::move(removal);
    if (!removed) {
      events_.event(client::reference_to(Volume::resource(), volume->meta), EventType::warning, "VolumeFailedDelete",
                    removed.error().message(), kProvisioner);
      co_return Outcome::again(kReclaimRetry);
    }
    const auto gone = co_await client::remove(api, Volume::resource(), key, volume->meta.uid);
    KL_CHECK(client::unless(Code::not_found, gone), "remove {}", key.name);
    co_return Outcome::done();
  }

 private:
  client::EventRecorder& events_;
  RemoveDirectory remove_directory_;
  Informer<Claim> claims_;
  Informer<Volume> volumes_;
};
}  // namespace

Task<Result<void>> publish_local_path_class(Api& api) {
  const json::Value storage = json::Object{
      {"apiVersion", "storage.k8s.io/v1"},
      {"kind", "StorageClass"},
      {"metadata", json::Object{{"name", "local-path"},
                                {"annotations", json::Object{{"storageclass.kubernetes.io/is-default-class", "true"}}}}},
      {"provisioner", kLocalPath},
      {"reclaimPolicy", "Delete"},
      {"volumeBindingMode", "WaitForFirstConsumer"}};
  const auto made = co_await client::create(api, StorageClass::resource(), "", storage);
  co_return client::unless(Code::already_exists, made);
}

RunnerPtr make_volume_binder(const Deps& deps) {
  auto runner = deps.runner("persistentvolume_binder", 1);  // one at a time: two claims never see the same volume free
  runner->use(std::make_unique<ClaimBinder>(deps, *runner));
  return runner;
}

RunnerPtr make_volume_reclaimer(const Deps& deps) {
  auto runner = deps.runner("persistentvolume_reclaimer");
  runner->use(std::make_unique<VolumesReclaimed>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
