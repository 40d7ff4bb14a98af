// What one pod asks of its place, parsed once per attempt.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "client/node_affinity.h"
#include "client/pod.h"
#include "schema/values.h"

namespace kinglet::scheduler {

using client::Node;
using client::Pod;
using client::Ref;

struct PreferredNodeTerm {
  int weight;
  client::NodeTerm term;
};

struct SpreadConstraint {
  int max_skew = 1;
  int min_domains = 1;
  std::string topology_key;
  bool hard = true;  // DoNotSchedule
  schema::Selector selector;
  bool respect_affinity = true;  // nodeAffinityPolicy Honor
  bool respect_taints = false;   // nodeTaintsPolicy Honor
};

// A pod (anti-)affinity term.
struct PodTerm {
  std::string topology_key;
  schema::Selector selector = schema::Selector::nothing();
  std::vector<std::string> namespaces;  // empty and not `all_namespaces`: the pod's own
  bool all_namespaces = false;
  int weight = 0;  // preferred terms only
  bool matches(const Pod& other, const std::string& own_namespace) const;
};

struct Wants {
  Ref<const Pod> pod;
  client::NodeWants nodes;
  std::vector<PreferredNodeTerm> preferred_nodes;
  std::vector<SpreadConstraint> spread;
  std::vector<PodTerm> affinity, anti_affinity, preferred_affinity, preferred_anti_affinity;
};
Wants wants_of(Ref<const Pod> pod);
// Only the required anti-affinity, which a placed pod holds against newcomers. Cheap for pods without.
std::vector<PodTerm> anti_affinity_of(const Pod& pod);

}  // namespace kinglet::scheduler
