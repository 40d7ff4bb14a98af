// ServiceProxy: keeps the kernel's rules equal to what the Services and EndpointSlices ask for.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/worker.h"
#include "client/informer.h"
#include "node/network/proxy_rules.h"

namespace kinglet::network {

class ServiceProxy {
 public:
  virtual ~ServiceProxy() = default;
  // Until cancelled; the rules stay. Does not fail: what cannot be applied is tried again.
  virtual Task<void> run() = 0;
};

// `worker` is where nftables blocks; `command`: our own binary with the hidden command, for large rulesets.
std::unique_ptr<ServiceProxy> make_service_proxy(ProxyConfig config, std::vector<std::string> command,
                                                 client::Informer<ServiceObject> services,
                                                 client::Informer<SliceObject> slices, Worker& worker, Clock& clock,
                                                 Metrics& metrics);

// The informers' contents in one view; it borrows from them.
ServiceWorld world_of(const client::Informer<ServiceObject>& services,
                      const client::Informer<SliceObject>& slices);

}  // namespace kinglet::network
