// PersistentVolume, PersistentVolumeClaim, StorageClass and the CSI kinds.
#include "apiserver/hooks/kinds.h"
#include "apiserver/hooks/rules.h"
#include "schema/names.h"
#include "schema/values.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kOldClassAnnotation = "volume.beta.kubernetes.io/storage-class";

void check_modes(const json::Value& spec, const Path& path, Causes& causes) {
  const auto& modes = items(spec, "accessModes");
  const Path list = path.child("accessModes");
  if (modes.empty()) schema::add_required(causes, list, "at least 1 access mode is required");
  const bool single =
      std::find(modes.begin(), modes.end(), json::Value("ReadWriteOncePod")) != modes.end();
  if (single && modes.size() > 1)
    schema::add_forbidden(causes, list, "may not use ReadWriteOncePod with other access modes");
}

void check_size(Causes& causes, const Path& path, const json::Value& size) {
  if (is_empty(size)) return schema::add_required(causes, path);
  const auto quantity =
      size.is_string() ? schema::Quantity::parse(size.get_string()) : schema::Quantity();
  if (quantity && quantity->compare(schema::Quantity()) <= 0)
    schema::add_invalid(causes, path, size, "must be greater than zero");
}

// The members of a volume's spec that are no source.
bool is_source(std::string_view member) {
  for (const std::string_view other :
       {"capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName",
        "mountOptions", "volumeMode", "nodeAffinity", "volumeAttributesClassName"})
    if (member == other) return false;
  return true;
}

json::Object source_of(const json::Value& spec) {
  json::Object out;
  if (spec.is_object())
    for (const auto& [key, value] : spec.get_object())
      if (is_source(key) && given(value)) out[key] = value;
  return out;
}

class VolumeHooks final : public KindHooks {
 public:
  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_modes(spec, path, causes);
    const auto& capacity = at(spec, "capacity");
    const Path at_capacity = path.child("capacity");
    if (is_empty(capacity)) {
      schema::add_required(causes, at_capacity);
    } else {
      const auto& size = at(capacity, "storage");
      if (!given(size) || capacity.get_object().size() != 1)
        schema::add_unsupported(causes, at_capacity, capacity, {"storage"});
      if (given(size)) check_size(causes, at_capacity.key("storage"), size);
    }
    check_source(spec, path, causes);
    if (old) check_changes(spec, at(*old, "spec"), path, causes);
  }

 private:
  static void check_source(const json::Value& spec, const Path& path, Causes& causes) {
    const auto source = source_of(spec);
    if (source.empty()) return schema::add_required(causes, path, "must specify a volume type");
    bool first = true;
    for (const auto& [kind, value] : source) {
      if (!first)
        schema::add_forbidden(causes, path.child(kind), "may not specify more than 1 volume type");
      first = false;
    }
    if (source.contains("local") && !given(at(spec, "nodeAffinity")))
      schema::add_required(causes, path.child("nodeAffinity"),
                           "Local volume requires node affinity");
    if (const auto& host = at(spec, "hostPath"); given(host)) {
      const Path at_host = path.child("hostPath");
      const auto where = text(host, "path");
      if (("/" + std::string(where) + "/").find("/../") != std::string::npos)
        schema::add_invalid(causes, at_host.child("path"), at(host, "path"),
                            "must not contain '..'");
    }
  }

  static void check_changes(const json::Value& spec, const json::Value& old, const Path& path,
                            Causes& causes) {
    if (!equal(json::Value(source_of(spec)), json::Value(source_of(old))))
      schema::add_forbidden(causes, path.child("persistentvolumesource"),
                            "spec.persistentvolumesource is immutable after creation");
    check_immutable(causes, path.child("volumeMode"), at(spec, "volumeMode"),
                    at(old, "volumeMode"));
    if (given(at(old, "nodeAffinity")))
      check_immutable(causes, path.child("nodeAffinity"), at(spec, "nodeAffinity"),
                      at(old, "nodeAffinity"));
  }
};

class ClaimHooks final : public KindHooks {
 public:
  // The two names of a data source follow each other.
  void prepare(const WriteContext&, json::Value& object, const json::Value* old) const override {
    if (old) return;
    auto& spec = json::child(object.get_object(), "spec");
    const json::Value whole(spec);
    const auto& source = at(whole, "dataSource");
    const auto& ref = at(whole, "dataSourceRef");
    if (given(source) && !given(ref)) spec["dataSourceRef"] = source;
    if (given(ref) && !given(source) && text(ref, "namespace").empty()) spec["dataSource"] = ref;
  }

  void validate(const WriteContext& context, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (context.subresource == "status") return;
    const auto& spec = at(object, "spec");
    const Path path("spec");
    check_modes(spec, path, causes);
    check_selector(causes, path.child("selector"), at(spec, "selector"));
    const Path resources = path.child("resources");
    const auto& size = at(spec, {"resources", "requests", "storage"});
    check_size(causes, resources.key("storage"), size);
    if (const auto& name = at(spec, "storageClassName"); !is_empty(name))
      check_name(causes, path.child("storageClassName"), name, schema::dns1123_subdomain_errors);
    if (old) check_changes(spec, *old, path, causes);
  }

 private:
  static void check_changes(const json::Value& spec, const json::Value& old, const Path& path,
                            Causes& causes) {
    const auto& before = at(old, "spec");
    json::Object masked = spec.is_object() ? spec.get_object() : json::Object();
    const auto keep = [&](std::string_view member) {
      if (given(at(before, member))) {
        masked[member] = at(before, member);
      } else {
        masked.erase(member);
      }
    };
    keep("resources");
    keep("volumeAttributesClassName");
    if (is_empty(at(before, "volumeName"))) keep("volumeName");
    const bool old_annotation = given(at(old, {"metadata", "annotations", kOldClassAnnotation}));
    if (!given(at(before, "storageClassName")) && !old_annotation) keep("storageClassName");
    if (!equal(json::Value(masked), before))
      schema::add_forbidden(causes, path,
                            "spec is immutable after creation except resources.requests and "
                            "volumeAttributesClassName for bound claims");
    const auto& size = at(spec, {"resources", "requests", "storage"});
    const auto& have = at(old, {"status", "capacity", "storage"});
    if (!size.is_string() || !have.is_string()) return;
    const auto wanted = schema::Quantity::parse(size.get_string());
    const auto least = schema::Quantity::parse(have.get_string());
    const Path resources = path.child("resources");
    const Path requests = resources.child("requests");
    if (wanted && least && wanted->compare(*least) < 0)
      schema::add_forbidden(causes, requests.child("storage"),
                            "field can not be less than status.capacity");
  }
};

class StorageClassHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    std::string provisioner(text(object, "provisioner"));
    std::transform(provisioner.begin(), provisioner.end(), provisioner.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    check_name(causes, Path("provisioner"), json::Value(provisioner), schema::label_key_errors);
    if (const auto& policy = at(object, "reclaimPolicy"); given(policy))
      check_one_of(causes, Path("reclaimPolicy"), policy, {"Delete", "Retain"});
    check_one_of(causes, Path("volumeBindingMode"), at(object, "volumeBindingMode"),
                 {"Immediate", "WaitForFirstConsumer"});
    if (!old) return;
    if (!equal(at(object, "parameters"), at(*old, "parameters")))
      schema::add_forbidden(causes, Path("parameters"), "updates to parameters are forbidden.");
    if (at(object, "provisioner") != at(*old, "provisioner"))
      schema::add_forbidden(causes, Path("provisioner"), "updates to provisioner are forbidden.");
    if (!equal(at(object, "reclaimPolicy"), at(*old, "reclaimPolicy")))
      schema::add_forbidden(causes, Path("reclaimPolicy"),
                            "updates to reclaimPolicy are forbidden.");
    check_immutable(causes, Path("volumeBindingMode"), at(object, "volumeBindingMode"),
                    at(*old, "volumeBindingMode"));
  }
};

class VolumeAttachmentHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (old) check_immutable(causes, Path("spec"), at(object, "spec"), at(*old, "spec"));
  }
};

class CsiDriverHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    const Path path("spec");
    if (old)
      check_immutable(causes, path.child("attachRequired"), at(object, {"spec", "attachRequired"}),
                      at(*old, {"spec", "attachRequired"}));
  }
};

class CsiNodeHooks final : public KindHooks {
 public:
  void validate(const WriteContext&, const json::Value& object, const json::Value*,
                std::vector<Cause>& causes) const override {
    const Path path("spec");
    check_unique(causes, path.child("drivers"), items(at(object, "spec"), "drivers"), "name");
  }
};

// Every member but metadata stays as it was made.
class FrozenHooks final : public KindHooks {
 public:
  explicit FrozenHooks(std::vector<std::string> members) : members_(std::move(members)) {}
  void validate(const WriteContext&, const json::Value& object, const json::Value* old,
                std::vector<Cause>& causes) const override {
    if (!old) return;
    for (const auto& member : members_)
      check_immutable(causes, Path(member), at(object, member), at(*old, member));
  }

 private:
  std::vector<std::string> members_;
};

}  // namespace

void add_storage_hooks(Hooks& hooks) {
  const auto frozen = [](std::vector<std::string> members) {
    return std::make_unique<FrozenHooks>(std::move(members));
  };
  hooks.emplace("/persistentvolumes", std::make_unique<VolumeHooks>());
  hooks.emplace("/persistentvolumeclaims", std::make_unique<ClaimHooks>());
  hooks.emplace("storage.k8s.io/storageclasses", std::make_unique<StorageClassHooks>());
  hooks.emplace("storage.k8s.io/volumeattachments", std::make_unique<VolumeAttachmentHooks>());
  hooks.emplace("storage.k8s.io/csidrivers", std::make_unique<CsiDriverHooks>());
  hooks.emplace("storage.k8s.io/csinodes", std::make_unique<CsiNodeHooks>());
  hooks.emplace("storage.k8s.io/csistoragecapacities",
                frozen({"storageClassName", "nodeTopology"}));
  hooks.emplace("storage.k8s.io/volumeattributesclasses", frozen({"driverName", "parameters"}));
  hooks.emplace("resource.k8s.io/resourceclaims", frozen({"spec"}));
  hooks.emplace("resource.k8s.io/resourceclaimtemplates", frozen({"spec"}));
}

}  // namespace kinglet::apiserver
