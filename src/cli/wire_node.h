// This machine's node, put together.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/task_fwd.h"
#include "cli/server_setup.h"
#include "client/api.h"
#include "net/http.h"

namespace kinglet::cli {

// What a node needs to know of itself and its cluster, wherever its API server is.
struct NodeSetup {
  std::string data_dir, agent_dir;
  std::string node_name, node_ip;
  std::vector<std::string> node_labels, node_taints;  // k=v, k=v:Effect
  std::string cluster_cidr, service_cidr, cluster_domain;
  std::string cluster_dns;
  bool cluster_dns_enabled = true;
  std::string pod_cidr;  // of this node
};
NodeSetup node_setup_of(const ServerSetup& setup);

class NodeSide {
 public:
  virtual ~NodeSide() = default;
  // Until cancelled, which leaves the containers running.
  virtual Task<Result<void>> run() = 0;
  virtual net::Handler* kubelet() = 0;
};

// Errors: not_found (crun or conmon is missing), io: in words for the operator.
Result<std::unique_ptr<NodeSide>> make_node_side(Files& files, Clock& clock, Random& random, const NodeSetup& setup,
                                                 client::Api& api, Metrics& metrics);

}  // namespace kinglet::cli
