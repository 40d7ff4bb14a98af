// The plugins: each knows one reason why a node does not take a pod, or why one node is better than another.
//
// A cycle (one attempt for one pod) first lets each plugin prepare what depends on the pod alone, then filters nodes,
// scores those that are left, and lets each plugin bring its scores to 0..100. Stateless; all state is in the Cycle.
// Source: upstream's scheduler framework and its default plugins, whose names, reasons and weights stay.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/internal/cluster.h"
#include "scheduler/internal/volume_view.h"

namespace kinglet::scheduler {

// What could make an unschedulable pod fit.
enum EventBits : uint32_t {
  kNodeAdded = 1,
  kNodeChanged = 2,  // labels, taints, allocatable, unschedulable
  kPodRemoved = 4,   // a placed pod went or ended
  kPodPlaced = 8,    // a pod came to a node: affinity
  kVolumeChanged = 16,  // a claim, volume or storage class
  kAnyEvent = ~0u,
};

struct Cycle {
  const Cluster& cluster;
  const Wants& wants;

  // TopologySpread: matching pods per domain, for each constraint.
  struct Spread {
    std::map<std::string, int> counts;  // by domain value
    int least = 0;                      // the smallest count, 0 with fewer domains than minDomains
    bool self = false;                  // the pod counts itself
  };
  std::vector<Spread> spread;

  // InterPodAffinity: domains ("key=value") by what stands in them.
  std::map<std::string, int> near, away, guarded;  // affinity, anti-affinity, other pods' anti-affinity
  std::map<std::string, int64_t> preferred;
  bool first_of_its_kind = false;  // nothing matches its affinity yet, except itself

  PodClaims claims;  // VolumeBinding
};

class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual const char* name() const = 0;
  virtual void prepare(Cycle&) const {}
  // Appends why the node does not take the pod; nothing appended: it does.
  virtual void filter(const Cycle&, const NodeInfo&, std::vector<std::string>& /*reasons*/) const {}
  virtual uint32_t wakes_on() const { return 0; }
  // Scores count with this weight; 0: the plugin does not score.
  virtual int weight() const { return 0; }
  virtual int64_t score(const Cycle&, const NodeInfo&) const { return 0; }
  // In place, to 0..100. Default: as they are.
  virtual void normalise(const Cycle&, std::span<const NodeInfo* const>, std::vector<int64_t>& /*scores*/) const {}
};

std::vector<std::unique_ptr<Plugin>> default_plugins();
// In the order in which they filter: cheap ones first.
std::unique_ptr<Plugin> make_node_unschedulable();
std::unique_ptr<Plugin> make_taint_toleration();
std::unique_ptr<Plugin> make_node_affinity();
std::unique_ptr<Plugin> make_node_ports();
std::unique_ptr<Plugin> make_resources_fit();
std::unique_ptr<Plugin> make_balanced_allocation();
std::unique_ptr<Plugin> make_topology_spread();
std::unique_ptr<Plugin> make_inter_pod_affinity();
// `view` outlives it; so it is not among the default plugins, which stand alone.
std::unique_ptr<Plugin> make_volume_binding(const VolumeView& view);

// The largest becomes 100, the others in proportion; `reverse`: the smallest does.
void normalise_to_max(std::vector<int64_t>& scores, bool reverse);

}  // namespace kinglet::scheduler
