// ServiceProxy: keeps the kernel's rules equal to what the Services and EndpointSlices ask for.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/worker.h"
#include "client/informer.h"
#include "node/local_pod.h"
#include "node/network/peer_routes.h"
#include "node/network/proxy_rules.h"

namespace kinglet::network {

class ServiceProxy {
 public:
  virtual ~ServiceProxy() = default;
  // Until cancelled; the rules stay. Does not fail: what cannot be applied is tried again.
  virtual Task<void> run() = 0;
};

// What it reads; the caller runs the informers.
struct ProxyInputs {
  client::Informer<ServiceObject> services;
  client::Informer<SliceObject> slices;
  client::Informer<PeerNode> nodes;
  client::Informer<node::LocalPod> pods;  // of this node
  // The path of the network namespace in which this address is; empty: this host's own.
  std::function<std::string(const std::string& ip)> netns_of;
};

// `worker` is where nftables blocks; `command`: our own binary with the hidden command, for large rulesets.
// Connections through a Service to a node that was lost are ended: their clients hear of it at once.
std::unique_ptr<ServiceProxy> make_service_proxy(ProxyConfig config, std::vector<std::string> command,
                                                 ProxyInputs inputs, Worker& worker, Clock& clock, Metrics& metrics);

// The informers' contents in one view; it borrows from them.
ServiceWorld world_of(const client::Informer<ServiceObject>& services,
                      const client::Informer<SliceObject>& slices);

}  // namespace kinglet::network
