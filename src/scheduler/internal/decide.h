// One decision: where does this pod go, and if nowhere, why not.
#pragma once
#include "base/random.h"
#include "scheduler/internal/plugins.h"

namespace kinglet::scheduler {

struct Decision {
  std::string node;        // empty: nowhere
  std::string message;     // then: "0/3 nodes are available: 1 Insufficient cpu, ..."
  uint32_t wakes_on = 0;   // then: the events that could change it
};

class Decider {
 public:
  Decider(std::vector<std::unique_ptr<Plugin>> plugins, Random& random)
      : plugins_(std::move(plugins)), random_(random) {}
  Decision decide(const Cluster& cluster, const Wants& wants);

 private:
  // With many nodes it is enough to find some that fit and to start elsewhere the next time.
  static size_t enough(size_t nodes);
  const NodeInfo* best(const Cycle& cycle, const std::vector<const NodeInfo*>& fitting);

  std::vector<std::unique_ptr<Plugin>> plugins_;
  Random& random_;
  size_t start_ = 0;
};

// "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." from the reasons, by how often.
std::string unfit_message(size_t nodes, const std::map<std::string, size_t>& reasons);

}  // namespace kinglet::scheduler
