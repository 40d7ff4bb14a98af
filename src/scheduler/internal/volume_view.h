// Claims, volumes and classes as the scheduler sees them.
#pragma once
#include <vector>

#include "client/volumes.h"

namespace kinglet::scheduler {

class VolumeView {
 public:
  virtual ~VolumeView() = default;
  virtual client::Ref<const client::Claim> claim(const client::ObjectKey& key) const = 0;  // null: none
  virtual client::Ref<const client::Volume> volume(const std::string& name) const = 0;
  virtual client::Ref<const client::StorageClass> storage_class(const std::string& name) const = 0;
  virtual std::vector<client::Ref<const client::Volume>> volumes() const = 0;
};

// What a pod's claims ask of its node.
struct PodClaims {
  std::string refused;  // why no node will do; empty: some may
  std::vector<client::Ref<const client::Volume>> bound;
  // Of classes that wait for the pod: bound or provisioned once the node is known.
  struct Unbound {
    client::Ref<const client::Claim> claim;
    client::Ref<const client::StorageClass> storage_class;
  };
  std::vector<Unbound> unbound;
};
PodClaims claims_of(const client::Pod& pod, const VolumeView& view);

}  // namespace kinglet::scheduler
