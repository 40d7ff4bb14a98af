// PodWires: a pod's namespace, its veth pair, its address and routes; and the bridge they all end at. Blocking; called
// on one thread at a time. Keeps no state: the kernel does.
#pragma once
#include <map>
#include <string>

#include "base/result.h"

namespace kinglet::network {

struct WireOptions {
  std::string netns_dir;  // where namespaces are pinned, one file per pod, named by its uid
  std::string bridge;
  std::string gateway;    // the bridge's address
  int prefix = 24;        // of this node's pod network
  std::string service_cidr, cluster_dns;
  int mtu = 0;            // 0: that of the default route's interface, less the overhead
  int mtu_overhead = 0;   // of what packets to other nodes are wrapped in
};

// Errors: unavailable, in words for the operator.
Result<void> make_bridge(const WireOptions& options);
// The pods that have a network here, by uid, with their addresses. Half-made ones are removed.
Result<std::map<std::string, std::string>> find_pods(const WireOptions& options);
// Idempotent; after an error nothing is left.
Result<void> wire_pod(const WireOptions& options, const std::string& uid, const std::string& ip);
Result<void> unwire_pod(const WireOptions& options, const std::string& uid);  // idempotent
Result<void> remove_all_wires(const WireOptions& options);

std::string netns_path(const WireOptions& options, const std::string& uid);
// The host's end: 15 characters at most, so the uid's hash.
std::string host_interface(const std::string& uid);

}  // namespace kinglet::network
