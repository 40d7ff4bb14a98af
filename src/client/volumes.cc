#include "client/volumes.h"

namespace kinglet::client {
namespace {
constexpr char kBindCompleted[] = "pv.kubernetes.io/bind-completed";
constexpr char kOldClass[] = "volume.beta.kubernetes.io/storage-class";
constexpr char kDefaultClass[] = "storageclass.kubernetes.io/is-default-class";

int64_t quantity_at(const json::Value& object, std::initializer_list<std::string_view> path) {
  const auto parsed = schema::Quantity::parse(json::text_at(object, path));
  return parsed ? parsed->value() : 0;
}

std::vector<std::string> modes_at(const json::Value& object) {
  std::vector<std::string> modes;
  for (const auto& mode : array_at(object, {"spec", "accessModes"}))
    if (mode.is_string()) modes.emplace_back(mode.get_string());
  return modes;
}

std::string mode_or_default(const json::Value& object) {
  auto mode = string_at(object, {"spec", "volumeMode"});
  return mode.empty() ? "Filesystem" : mode;
}
}  // namespace

const schema::Resource& Claim::resource() {
  static const auto& found = client::resource("", "v1", "persistentvolumeclaims");
  return found;
}

std::shared_ptr<Claim> Claim::decode(const json::Value& object) {
  auto claim = std::make_shared<Claim>();
  if (json::find(object, {"spec", "storageClassName"}))
    claim->class_name = string_at(object, {"spec", "storageClassName"});
  else if (json::find(object, {"metadata", "annotations", kOldClass}))
    claim->class_name = string_at(object, {"metadata", "annotations", kOldClass});
  claim->volume_name = string_at(object, {"spec", "volumeName"});
  claim->phase = string_at(object, {"status", "phase"});
  claim->volume_mode = mode_or_default(object);
  claim->access_modes = modes_at(object);
  claim->bytes = quantity_at(object, {"spec", "resources", "requests", "storage"});
  claim->has_bytes = quantity_at(object, {"status", "capacity", "storage"});
  if (const auto* selector = json::find(object, {"spec", "selector"}); selector && selector->is_object()) {
    auto parsed = schema::Selector::from_object(*selector);
    claim->selector = parsed ? std::move(*parsed) : schema::Selector::nothing();
  }
  return claim;
}

bool Claim::bound() const { return !volume_name.empty() && meta.annotation(kBindCompleted) != nullptr; }

const std::string& Claim::selected_node() const {
  static const std::string kNone;
  const auto* node = meta.annotation(kSelectedNode);
  return node ? *node : kNone;
}

const schema::Resource& Volume::resource() {
  static const auto& found = client::resource("", "v1", "persistentvolumes");
  return found;
}

std::shared_ptr<Volume> Volume::decode(const json::Value& object) {
  auto volume = std::make_shared<Volume>();
  volume->class_name = string_at(object, {"spec", "storageClassName"});
  if (volume->class_name.empty()) volume->class_name = string_at(object, {"metadata", "annotations", kOldClass});
  volume->phase = string_at(object, {"status", "phase"});
  volume->volume_mode = mode_or_default(object);
  volume->reclaim = string_at(object, {"spec", "persistentVolumeReclaimPolicy"});
  volume->access_modes = modes_at(object);
  volume->bytes = quantity_at(object, {"spec", "capacity", "storage"});
  volume->claim_ns = string_at(object, {"spec", "claimRef", "namespace"});
  volume->claim_name = string_at(object, {"spec", "claimRef", "name"});
  volume->claim_uid = string_at(object, {"spec", "claimRef", "uid"});
  if (const auto* spec = json::find(object, {"spec"})) volume->nodes = volume_node_wants_of(*spec);
  return volume;
}

const schema::Resource& StorageClass::resource() {
  static const auto& found = client::resource("storage.k8s.io", "v1", "storageclasses");
  return found;
}

std::shared_ptr<StorageClass> StorageClass::decode(const json::Value& object) {
  auto storage = std::make_shared<StorageClass>();
  storage->provisioner = string_at(object, {"provisioner"});
  storage->reclaim = string_at(object, {"reclaimPolicy"});
  storage->waits_for_consumer = json::text_at(object, {"volumeBindingMode"}) == "WaitForFirstConsumer";
  storage->is_default = json::text_at(object, {"metadata", "annotations", kDefaultClass}) == "true";
  return storage;
}

std::vector<std::string> claim_names_of(const Pod& pod) {
  std::vector<std::string> names;
  const auto text = pod.raw.view();
  if (text.find("\"persistentVolumeClaim\":") == std::string_view::npos && text.find("\"ephemeral\":") == std::string_view::npos)
    return names;
  const auto object = json::parse(text);
  if (!object) return names;
  for (const auto& volume : array_at(*object, {"spec", "volumes"})) {
    if (json::find(volume, {"persistentVolumeClaim"}))
      names.push_back(string_at(volume, {"persistentVolumeClaim", "claimName"}));
    else if (json::find(volume, {"ephemeral"}))
      names.push_back(pod.meta.name + "-" + string_at(volume, {"name"}));
  }
  return names;
}

bool volume_fits(const Volume& volume, const Claim& claim) {
  if (volume.meta.deleted) return false;
  if (!volume.claim_name.empty()) {
    // Reserved: for this claim, or for somebody else.
    return volume.claim_ns == claim.meta.ns && volume.claim_name == claim.meta.name &&
           (volume.claim_uid.empty() || volume.claim_uid == claim.meta.uid);
  }
  if (volume.class_name != claim.class_name.value_or("") || volume.volume_mode != claim.volume_mode) return false;
  if (volume.bytes < claim.bytes) return false;
  if (claim.selector && !matches(*claim.selector, volume.meta.labels)) return false;
  return std::all_of(claim.access_modes.begin(), claim.access_modes.end(), [&](const std::string& mode) {
    return std::find(volume.access_modes.begin(), volume.access_modes.end(), mode) != volume.access_modes.end();
  });
}

}  // namespace kinglet::client
