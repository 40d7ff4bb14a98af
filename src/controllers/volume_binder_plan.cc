#include "controllers/internal/volume_binder.h"

namespace kinglet::controllers {
namespace {
constexpr char kHostname[] = "kubernetes.io/hostname";

Ref<const StorageClass> default_class(const std::vector<Ref<const StorageClass>>& classes) {
  Ref<const StorageClass> newest;  // of several defaults upstream takes the newest
  for (const auto& one : classes)
    if (one->is_default && (!newest || one->meta.created > newest->meta.created)) newest = one;
  return newest;
}

// The smallest free volume that will do; one that was reserved for the claim before all others.
Ref<const Volume> best_volume(const Claim& claim, const std::vector<Ref<const Volume>>& volumes, bool placed, const Node* node) {
  Ref<const Volume> best;
  for (const auto& volume : volumes) {
    if (!client::volume_fits(*volume, claim)) continue;
    if (!volume->claim_name.empty()) return volume;
    if (placed && (!node || !volume->nodes.match(*node))) continue;
    if (!best || volume->bytes < best->bytes) best = volume;
  }
  return best;
}

bool single_writer(const Claim& claim) {
  return std::all_of(claim.access_modes.begin(), claim.access_modes.end(),
                     [](const std::string& mode) { return mode == "ReadWriteOnce" || mode == "ReadWriteOncePod"; });
}

ClaimPlan plan_provision(const Claim& claim, const Ref<const StorageClass>& storage, const Node* node) {
  using Step = ClaimPlan::Step;
  if (storage->provisioner != kLocalPath)
    return {Step::ask, nullptr, storage, "ExternalProvisioning",
            fmt::format("Waiting for a volume to be created either by the external provisioner '{}' or manually by the system "
                        "administrator. If volume creation is delayed, please verify that the provisioner is running and "
                        "correctly registered.", storage->provisioner)};
  const auto refuses = [&](std::string why) {
    return ClaimPlan{Step::none, nullptr, storage, "ProvisioningFailed",
                     fmt::format("failed to provision volume with StorageClass \"{}\": {}", storage->meta.name, why)};
  };
  if (!single_writer(claim)) return refuses("NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes");
  if (claim.volume_mode == "Block") return refuses("block volumes are not supported");
  if (claim.selector) return refuses("claim.Spec.Selector is not supported");
  if (!node) return refuses("configuration error, no node was specified");
  return {Step::provision, nullptr, storage, {}, {}};
}

ClaimPlan plan_named(const Claim& claim, const std::vector<Ref<const Volume>>& volumes) {
  using Step = ClaimPlan::Step;
  for (const auto& volume : volumes) {
    if (volume->meta.name != claim.volume_name) continue;
    const bool ours = volume->claim_ns == claim.meta.ns && volume->claim_name == claim.meta.name &&
                      (volume->claim_uid.empty() || volume->claim_uid == claim.meta.uid);
    if (claim.bound()) {
      if (ours && !volume->claim_uid.empty()) return {Step::confirm, volume, nullptr, {}, {}};
      if (ours || volume->claim_name.empty()) return {Step::bind, volume, nullptr, {}, {}};
      return {Step::lost, nullptr, nullptr, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly"};
    }
    if (ours || volume->claim_name.empty()) return {Step::bind, volume, nullptr, {}, {}};
    return {Step::none, nullptr, nullptr, "FailedBinding",
            fmt::format("volume \"{}\" already bound to a different claim.", volume->meta.name)};
  }
  if (claim.bound()) return {Step::lost, nullptr, nullptr, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!"};
  return {};
}
}  // namespace

ClaimPlan plan_claim(const Claim& claim, const std::vector<Ref<const Volume>>& volumes,
                     const std::vector<Ref<const StorageClass>>& classes, const Node* node) {
  using Step = ClaimPlan::Step;
  if (!claim.volume_name.empty()) return plan_named(claim, volumes);
  if (claim.meta.deleted) return {};
  if (!claim.class_name)
    if (auto storage = default_class(classes)) return {Step::set_class, nullptr, std::move(storage), {}, {}};
  Ref<const StorageClass> storage;
  for (const auto& one : classes)
    if (one->meta.name == claim.class_name.value_or("")) storage = one;
  const bool waits = storage && storage->waits_for_consumer;
  for (const auto& volume : volumes)  // reserved for this claim by hand
    if (!volume->claim_name.empty() && client::volume_fits(*volume, claim)) return {Step::bind, volume, storage, {}, {}};
  if (waits && claim.selected_node().empty())
    return {Step::none, nullptr, storage, "WaitForFirstConsumer", "waiting for first consumer to be created before binding"};
  if (auto volume = best_volume(claim, volumes, waits, node)) return {Step::bind, std::move(volume), storage, {}, {}};
  if (storage && storage->provisions()) return plan_provision(claim, storage, node);
  const bool missing = !storage && !claim.class_name.value_or("").empty();
  return {Step::none, nullptr, nullptr, missing ? "ProvisioningFailed" : "FailedBinding",
          missing ? fmt::format("storageclass.storage.k8s.io \"{}\" not found", *claim.class_name)
                  : "no persistent volumes available for this claim and no storage class is set"};
}

json::Value claim_reference(const Claim& claim) {
  return json::Object{{"kind", "PersistentVolumeClaim"},
                      {"apiVersion", "v1"},
                      {"namespace", claim.meta.ns},
                      {"name", claim.meta.name},
                      {"uid", claim.meta.uid},
                      {"resourceVersion", std::to_string(claim.meta.revision)}};
}

json::Value local_path_volume(const Claim& claim, const StorageClass& storage, const Node& node, const std::string& storage_dir) {
  const auto name = "pvc-" + claim.meta.uid;
  const auto* hostname = node.meta.label(kHostname);
  const auto object = whole(claim);
  const auto* modes = json::find(object, {"spec", "accessModes"});
  const json::Value term = json::Object{
      {"matchExpressions", json::Array{json::Object{{"key", kHostname},
                                                    {"operator", "In"},
                                                    {"values", json::Array{json::Value(hostname ? *hostname : node.meta.name)}}}}}};
  json::Object spec = {
      {"capacity", json::Object{{"storage", client::string_at(object, {"spec", "resources", "requests", "storage"})}}},
      {"accessModes", modes ? *modes : json::Value(json::Array{json::Value("ReadWriteOnce")})},
      {"persistentVolumeReclaimPolicy", storage.reclaim.empty() ? "Delete" : storage.reclaim},
      {"storageClassName", storage.meta.name},
      {"volumeMode", "Filesystem"},
      {"claimRef", claim_reference(claim)},
      {"hostPath", json::Object{{"path", fmt::format("{}/{}_{}_{}", storage_dir, name, claim.meta.ns, claim.meta.name)},
                                {"type", "DirectoryOrCreate"}}},
      {"nodeAffinity", json::Object{{"required", json::Object{{"nodeSelectorTerms", json::Array{term}}}}}}};
  json::Object meta = {{"name", name},
                       {"annotations", json::Object{{kProvisionedBy, kLocalPath}, {"local.path.provisioner/selected-node", node.meta.name}}}};
  return json::Object{{"apiVersion", "v1"}, {"kind", "PersistentVolume"}, {"metadata", std::move(meta)}, {"spec", std::move(spec)}};
}

std::string local_path_of(const Volume& volume) {
  const auto* by = volume.meta.annotation(kProvisionedBy);
  if (!by || *by != kLocalPath) return {};
  const auto object = whole(volume);
  return client::string_at(object, {"spec", "hostPath", "path"});
}

VolumePlan plan_volume(const Volume& volume, const Claim* claim) {
  VolumePlan plan;
  const auto phase = [&](const char* wanted) {
    if (volume.phase != wanted) plan.phase = wanted;
  };
  if (volume.claim_name.empty() || volume.claim_uid.empty()) {
    phase("Available");
  } else if (claim && claim->meta.uid == volume.claim_uid) {
    // The binder says Bound; a provisioned volume is nobody else's from the start.
    if (claim->volume_name == volume.meta.name) phase("Bound");
  } else {
    phase("Released");
    const auto* by = volume.meta.annotation(kProvisionedBy);
    plan.reclaim = volume.reclaim == "Delete" && by && *by == kLocalPath && !volume.meta.deleted;
  }
  return plan;
}

}  // namespace kinglet::controllers
