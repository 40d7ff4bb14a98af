// Network: the pods' network on this node: bridge and namespaces, the ways to other nodes' pods, Services by nftables,
// the cluster's DNS.
//
// Loop only; what blocks (netlink, nftables) happens on a thread of its own. Everything it makes in the kernel
// outlives this process, and is found again by the next one.
//
// Pods have /32 addresses and reach everything, each other too, through the node's IP layer: so Services, masquerade
// and policy see all traffic, and bridged frames need no netfilter (no br_netfilter module).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/metrics.h"
#include "base/random.h"
#include "client/informer.h"
#include "node/network/overlay.h"
#include "node/pod_parts.h"

namespace kinglet::network {

struct NetworkOptions {
  // This node's part of the cluster's network; empty: what its Node object says (spec.podCIDR), once it says so.
  std::string pod_cidr;
  // Where that is remembered, for a start without a server. Empty: nowhere.
  std::string pod_cidr_file;
  std::string cluster_cidr = "10.42.0.0/16";  // all pods
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";     // answered by this process; empty: no DNS
  std::string cluster_domain = "cluster.local";
  std::string node_name;
  std::string run_dir = "/run/kinglet";             // namespaces are pinned below it
  std::string resolv_conf = "/etc/resolv.conf";     // where names outside the cluster are looked up
  std::string bridge = "kl0";
  Backend backend = Backend::vxlan;                 // how packets get to other nodes
  int mtu = 0;                                      // of pods; 0: that of the default route's interface, less VXLAN's
  // Our own binary with the hidden command that ends in nft_apply_main(): large rulesets are parsed in a child,
  // since libnftables does not give its memory back. Empty: always in this process.
  std::vector<std::string> nft_command;
};

class Network : public node::PodNetwork {
 public:
  // When the node's part is known already (given or remembered): makes the bridge, switches forwarding on, adopts the
  // pods that are there. Otherwise run() does, as soon as it is. Before attach() and run().
  // Errors: unavailable, in words for the operator (a read-only /proc/sys, a kernel without bridges).
  virtual Task<Result<void>> setup() = 0;
  // Keeps the ways to other nodes, the Services' rules and the DNS up to date until cancelled; the rules stay.
  virtual Task<Result<void>> run() = 0;
  // Until the node has its part of the pod network and pods can be attached.
  virtual Task<void> wait_ready() = 0;
  // This node's address on the pod network: always there, with or without a cable. Empty before wait_ready().
  virtual const std::string& gateway() const = 0;
  // The pods (by uid) that have a network here; detach those that are no longer wanted.
  virtual std::vector<std::string> attached() const = 0;
};

// `informers`: for Services, EndpointSlices and Nodes; the caller runs them. Errors: invalid (options).
Result<std::unique_ptr<Network>> make_network(NetworkOptions options, client::Informers& informers, Clock& clock,
                                              Random& random, Files& files, Metrics& metrics);

// Takes all of it away again: rules, interfaces, routes, namespaces (`kinglet killall`). Blocking, idempotent.
Result<void> remove_network(const NetworkOptions& options);

}  // namespace kinglet::network
