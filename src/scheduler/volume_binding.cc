// VolumeBinding: a pod goes where its volumes are, or where they can be made.
//
// A claim whose class waits for its first consumer is told the chosen node; the binder then takes a volume that this
// node reaches, or has one made, and the pod is bound when all its claims are. Reasons are upstream's.
#include "scheduler/internal/plugins.h"
#include "scheduler/internal/volume_view.h"

namespace kinglet::scheduler {

PodClaims claims_of(const Pod& pod, const VolumeView& view) {
  PodClaims claims;
  for (const auto& name : client::claim_names_of(pod)) {
    const auto claim = view.claim({pod.meta.ns, name});
    if (!claim) {
      claims.refused = fmt::format("persistentvolumeclaim \"{}\" not found", name);
      return claims;
    }
    if (claim->meta.deleted) {
      claims.refused = fmt::format("persistentvolumeclaim \"{}\" is being deleted", name);
      return claims;
    }
    if (claim->bound()) {
      const auto volume = view.volume(claim->volume_name);
      if (!volume) {
        claims.refused = fmt::format("persistentvolumeclaim \"{}\" bound to non-existent persistentvolume \"{}\"", name, claim->volume_name);
        return claims;
      }
      claims.bound.push_back(volume);
      continue;
    }
    const auto storage = claim->class_name ? view.storage_class(*claim->class_name) : nullptr;
    if (!storage || !storage->waits_for_consumer) {
      claims.refused = "pod has unbound immediate PersistentVolumeClaims";
      return claims;
    }
    claims.unbound.push_back({claim, storage});
  }
  return claims;
}

namespace {
class VolumeBinding final : public Plugin {
 public:
  explicit VolumeBinding(const VolumeView& view) : view_(view) {}
  const char* name() const override { return "VolumeBinding"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged | kVolumeChanged; }

  void prepare(Cycle& cycle) const override { cycle.claims = claims_of(*cycle.wants.pod, view_); }

  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    const auto& claims = cycle.claims;
    if (!claims.refused.empty()) {
      reasons.push_back(claims.refused);
      return;
    }
    for (const auto& volume : claims.bound)
      if (!volume->nodes.match(*info.node)) {
        reasons.push_back("node(s) didn't match PersistentVolume's node affinity");
        return;
      }
    std::vector<std::string> taken;
    for (const auto& unbound : claims.unbound)
      if (!can_bind(unbound, *info.node, taken)) {
        reasons.push_back("node(s) didn't find available persistent volumes to bind");
        return;
      }
  }

 private:
  bool can_bind(const PodClaims::Unbound& unbound, const Node& node, std::vector<std::string>& taken) const {
    if (unbound.storage_class->provisions()) return true;
    for (const auto& volume : view_.volumes()) {
      if (!client::volume_fits(*volume, *unbound.claim) || !volume->nodes.match(node)) continue;
      if (std::find(taken.begin(), taken.end(), volume->meta.name) != taken.end()) continue;
      taken.push_back(volume->meta.name);
      return true;
    }
    return false;
  }

  const VolumeView& view_;
};
}  // namespace

std::unique_ptr<Plugin> make_volume_binding(const VolumeView& view) { return std::make_unique<VolumeBinding>(view); }

}  // namespace kinglet::scheduler
