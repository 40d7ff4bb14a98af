// DnsServer: the cluster's DNS on this node: names of the cluster from the informers, all others from the host's resolvers.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/metrics.h"
#include "base/random.h"
#include "client/informer.h"
#include "node/network/service_model.h"

namespace kinglet::network {

struct DnsOptions {
  std::string address;  // where it listens, UDP and TCP; an address of this host
  uint16_t port = 53;
  std::string domain = "cluster.local";
  std::vector<std::string> networks;  // whose reverse names are ours
  std::string resolv_conf = "/etc/resolv.conf";
};

class DnsServer {
 public:
  virtual ~DnsServer() = default;
  // Until cancelled. Errors: unavailable (the address is taken by another program).
  virtual Task<Result<void>> run() = 0;
};
std::unique_ptr<DnsServer> make_dns_server(DnsOptions options, client::Informer<ServiceObject> services,
                                           client::Informer<SliceObject> slices, Clock& clock, Random& random,
                                           Files& files, Metrics& metrics);

// The name servers of a resolv.conf, IPv4 and IPv6, without `own` (it would ask itself); at most kUpstreamsMax.
constexpr size_t kUpstreamsMax = 3;
std::vector<std::string> upstreams_of(std::string_view resolv_conf, const std::string& own);

}  // namespace kinglet::network
