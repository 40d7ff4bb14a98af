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
  std::string flannel_backend = "vxlan";  // how pods reach other nodes' pods: vxlan, host-gw, none
};
NodeSetup node_setup_of(const ServerSetup& setup);

class NodeSide {
 public:
  virtual ~NodeSide() = default;
  // Until cancelled, which leaves the containers running.
  virtual Task<Result<void>> run() = 0;
  virtual net::Handler* kubelet() = 0;
  // This node's address on the pod network, once it has one: reachable for its pods with or without a cable.
  virtual Task<std::string> gateway() = 0;
  // The connection to the server is (again) up, or the node has another address: its status is written at once.
  // `address` empty: the same as before.
  virtual void announce(const std::string& address) = 0;
};

// Errors: not_found (crun or conmon is missing), io: in words for the operator.
Result<std::unique_ptr<NodeSide>> make_node_side(Files& files, Clock& clock, Random& random, const NodeSetup& setup,
                                                 client::Api& api, Metrics& metrics);

}  // namespace kinglet::cli
