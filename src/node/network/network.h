// Network: the pods' network on this node: bridge and namespaces, Services by nftables, the cluster's DNS.
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
#include "node/pod_parts.h"

namespace kinglet::network {

struct NetworkOptions {
  std::string pod_cidr = "10.42.0.0/24";      // this node's part of the cluster's
  std::string cluster_cidr = "10.42.0.0/16";  // all pods
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";     // answered by this process; empty: no DNS
  std::string cluster_domain = "cluster.local";
  std::string node_name;
  std::string run_dir = "/run/kinglet";             // namespaces are pinned below it
  std::string resolv_conf = "/etc/resolv.conf";     // where names outside the cluster are looked up
  std::string bridge = "kl0";
  int mtu = 0;                                      // of pods; 0: that of the default route's interface
  // Our own binary with the hidden command that ends in nft_apply_main(): large rulesets are parsed in a child,
  // since libnftables does not give its memory back. Empty: always in this process.
  std::vector<std::string> nft_command;
};

class Network : public node::PodNetwork {
 public:
  // Makes the bridge, switches forwarding on, adopts the pods that are there. Before attach() and run().
  // Errors: unavailable, in words for the operator (a read-only /proc/sys, a kernel without bridges).
  virtual Task<Result<void>> setup() = 0;
  // Keeps the Services' rules and the DNS up to date until cancelled; the rules stay.
  virtual Task<Result<void>> run() = 0;
  // This node's address on the pod network: always there, with or without a cable.
  virtual const std::string& gateway() const = 0;
  // The pods (by uid) that have a network here; detach those that are no longer wanted.
  virtual std::vector<std::string> attached() const = 0;
};

// `informers`: for Services and EndpointSlices; the caller runs them. Errors: invalid (options).
Result<std::unique_ptr<Network>> make_network(NetworkOptions options, client::Informers& informers, Clock& clock,
                                              Random& random, Files& files, Metrics& metrics);

// Takes all of it away again: rules, interfaces, namespaces (`kinglet killall`). Blocking, idempotent.
Result<void> remove_network(const NetworkOptions& options);

}  // namespace kinglet::network
