// What the pods of this node and the node itself use: for `kubectl top`, the autoscaler and
// Prometheus.
//
// Nothing is sampled while nobody asks: a rate needs two looks, and the first question in a while
// waits for the second.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "base/task_fwd.h"
#include "json/json.h"
#include "net/http.h"
#include "node/node_agent.h"
#include "node/usage_rates.h"

namespace kinglet::node {

class NodeStats final {
 public:
  // All outlive it. `data_dir` is on the file system whose fullness is told.
  NodeStats(const PodParts& parts, const NodeAgent& agent, std::string data_dir);

  // /stats/summary, /metrics/cadvisor, /metrics/resource, /pods, /healthz.
  static bool serves(const net::Request& request);
  Task<void> serve(net::Exchange& exchange);

  // As the kubelet's /stats/summary.
  Task<json::Value> summary();

 private:
  UsageSample look() const;
  Task<void> refresh_rates();
  json::Value pod_list() const;

  const PodParts& parts_;
  const NodeAgent& agent_;
  std::string data_dir_;
  UsageRates rates_;
};

}  // namespace kinglet::node
