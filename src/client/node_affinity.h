// Which nodes a pod, or a volume, may be on: node selectors and required node affinity.
// Source: core/v1 NodeSelector, PodSpec.nodeSelector, NodeAffinity.
#pragma once
#include <string>
#include <vector>

#include "client/node.h"
#include "schema/values.h"

namespace kinglet::client {

// One term of a node selector: all of it must match. A term without requirements matches nothing.
struct NodeTerm {
  schema::Selector labels;
  std::vector<schema::Requirement> names;  // matchFields metadata.name
  bool empty = true;
  bool matches(const Node& node) const;
};
NodeTerm node_term_of(const json::Value& item);

struct NodeWants {
  schema::Selector selector;
  std::vector<NodeTerm> required;  // any of them; `has_required` says that there are some
  bool has_required = false;
  bool match(const Node& node) const;
};
// Of a pod's spec.
NodeWants node_wants_of(const json::Value& pod_spec);
// Of a persistent volume: spec.nodeAffinity.
NodeWants volume_node_wants_of(const json::Value& volume_spec);

}  // namespace kinglet::client
