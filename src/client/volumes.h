// Claims, volumes and storage classes: what those who bind, place and guard storage read of them.
#pragma once
#include "client/node_affinity.h"
#include "client/pod.h"
#include "schema/values.h"

namespace kinglet::client {

inline constexpr char kSelectedNode[] = "volume.kubernetes.io/selected-node";

// PersistentVolumeClaim.
struct Claim : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Claim> decode(const json::Value& object);

  std::optional<std::string> class_name;  // none: not said; "": volumes without a class only
  std::string volume_name, phase, volume_mode;
  std::vector<std::string> access_modes;
  int64_t bytes = 0;  // asked for
  int64_t has_bytes = 0;  // status.capacity
  std::optional<schema::Selector> selector;
  bool bound() const;  // bound for good: the binder has finished
  const std::string& selected_node() const;
};

// PersistentVolume.
struct Volume : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Volume> decode(const json::Value& object);

  std::string class_name, phase, volume_mode, reclaim;
  std::vector<std::string> access_modes;
  int64_t bytes = 0;
  std::string claim_ns, claim_name, claim_uid;  // claimRef; claim_name empty: free
  NodeWants nodes;
};

struct StorageClass : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<StorageClass> decode(const json::Value& object);

  std::string provisioner, reclaim;
  bool waits_for_consumer = false;
  bool is_default = false;
  bool provisions() const { return provisioner != "kubernetes.io/no-provisioner"; }
};

// The names of the claims that a pod's volumes use, in order; ephemeral ones by the names they get.
std::vector<std::string> claim_names_of(const Pod& pod);

// Whether a free volume (or one reserved for this claim) satisfies the claim, nodes left aside.
bool volume_fits(const Volume& volume, const Claim& claim);

}  // namespace kinglet::client
