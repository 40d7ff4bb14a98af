// Node: what controllers and the scheduler read of a node.
#pragma once
#include "client/conditions.h"
#include "client/object.h"
#include "client/resources.h"
#include "client/taints.h"

namespace kinglet::client {

struct Node : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Node> decode(const json::Value& object);

  bool unschedulable = false;
  std::string pod_cidr;  // spec.podCIDR
  std::vector<Taint> taints;
  Resources allocatable;
  int64_t pods_max = 0;
  Conditions conditions;

  const Condition* condition(std::string_view type) const { return find_condition(conditions, type); }
  bool ready() const {
    const auto* ready = condition("Ready");
    return ready && ready->status == "True";
  }
};

}  // namespace kinglet::client
