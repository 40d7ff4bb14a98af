#include "client/node.h"

#include "schema/values.h"

namespace kinglet::client {

const schema::Resource& Node::resource() {
  static const auto& found = client::resource("", "v1", "nodes");
  return found;
}

std::shared_ptr<Node> Node::decode(const json::Value& object) {
  auto node = std::make_shared<Node>();
  node->unschedulable = json::bool_at(object, {"spec", "unschedulable"});
  node->pod_cidr = json::text_at(object, {"spec", "podCIDR"});
  node->taints = taints_of(object);
  const auto* allocatable = json::find(object, {"status", "allocatable"});
  if (!allocatable) allocatable = json::find(object, {"status", "capacity"});
  node->allocatable = resources_of(allocatable);
  if (allocatable)
    if (const auto pods = schema::Quantity::parse(json::text_at(*allocatable, {"pods"})))
      node->pods_max = pods->value();
  node->conditions = conditions_at(object, {"status", "conditions"});
  return node;
}

}  // namespace kinglet::client
