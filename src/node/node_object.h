// The Node object that this machine registers and keeps up to date. Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/clock.h"
#include "node/host_facts.h"

namespace kinglet::node {

struct NodeIdentity {
  std::string name;
  std::string ip;
  std::vector<std::string> labels, taints;  // from the command line: k=v, k=v:Effect
  std::string version;                      // "v1.34.0+kinglet..."
  int pods_max = 110;
};

struct NodeHealth {
  bool runtime_ready = true;
  bool network_ready = true;
  bool memory_pressure = false, disk_pressure = false;
  std::string message;  // of what is not ready
};

api::Node make_node(const NodeIdentity& identity, const HostFacts& facts);
// Sets what this node owns in the status: addresses, capacity, nodeInfo and conditions; heartbeats of conditions move
// only when something else changes or `heartbeat` is set.
void update_node_status(api::Node& node, const NodeIdentity& identity, const HostFacts& facts, const NodeHealth& health,
                        const std::vector<api::ContainerImage>& images, WallTime now, bool heartbeat);
// Labels that the kubelet keeps right on a node that exists already; true when something changed.
bool reconcile_labels(api::Node& node, const NodeIdentity& identity, const HostFacts& facts);

}  // namespace kinglet::node
