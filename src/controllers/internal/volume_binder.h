// Claims and volumes: which belongs to which, what a claim waits for, what becomes of a volume that lost its claim. Pure.
// Source: upstream's persistent volume binder, and the local-path provisioner that k3s ships, whose names stay.
#pragma once
#include "client/volumes.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

using client::Claim;
using client::StorageClass;
using client::Volume;

inline constexpr char kLocalPath[] = "rancher.io/local-path";
inline constexpr char kProvisionedBy[] = "pv.kubernetes.io/provisioned-by";
inline constexpr char kBindCompleted[] = "pv.kubernetes.io/bind-completed";
inline constexpr char kBoundByController[] = "pv.kubernetes.io/bound-by-controller";
inline constexpr char kStorageProvisioner[] = "volume.kubernetes.io/storage-provisioner";

struct ClaimPlan {
  enum class Step : uint8_t {
    none,
    bind,       // to `volume`
    confirm,    // bound: bring the statuses up to date
    lost,       // its volume has gone
    provision,  // a directory on the selected node
    ask,        // somebody else's provisioner: say so in an annotation
    set_class,  // the default class
  } step = Step::none;
  Ref<const Volume> volume;
  Ref<const StorageClass> storage_class;
  std::string reason, message;  // of the event that says what it waits for; empty: nothing to say
};
// `volumes`: all of them. `node`: the selected one, null when none is selected or it has gone.
ClaimPlan plan_claim(const Claim& claim, const std::vector<Ref<const Volume>>& volumes,
                     const std::vector<Ref<const StorageClass>>& classes, const Node* node);

// The directory of a local-path volume; empty: not one of ours.
std::string local_path_of(const Volume& volume);
json::Value local_path_volume(const Claim& claim, const StorageClass& storage_class, const Node& node, const std::string& storage_dir);
json::Value claim_reference(const Claim& claim);

struct VolumePlan {
  std::string phase;       // to write; empty: as it is
  bool reclaim = false;    // remove the directory, then the volume
};
// `claim`: the one it names, if that exists.
VolumePlan plan_volume(const Volume& volume, const Claim* claim);

}  // namespace kinglet::controllers
