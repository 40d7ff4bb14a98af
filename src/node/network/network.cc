#include "node/network/network.h"

#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "base/worker.h"
#include "node/network/dns_server.h"
#include "node/network/ipam.h"
#include "node/network/nft_apply.h"
#include "node/network/pod_wires.h"
#include "node/network/proxy_rules.h"
#include "node/network/service_proxy.h"

namespace kinglet::network {
namespace {

constexpr Duration kDnsRetryAfter = std::chrono::seconds(10);

WireOptions wires_of(const NetworkOptions& options, const Ipam& ipam) {
  WireOptions wires;
  wires.netns_dir = options.run_dir + "/netns";
  wires.bridge = options.bridge;
  wires.gateway = ipam.gateway();
  wires.prefix = ipam.prefix();
  wires.service_cidr = options.service_cidr;
  wires.cluster_dns = options.cluster_dns;
  wires.mtu = options.mtu;
  return wires;
}

ProxyConfig proxy_of(const NetworkOptions& options) {
  ProxyConfig config;
  config.bridge = options.bridge;
  config.pod_cidr = options.pod_cidr;
  config.cluster_cidr = options.cluster_cidr;
  config.service_cidr = options.service_cidr;
  config.cluster_dns = options.cluster_dns;
  config.node_name = options.node_name;
  return config;
}

// A uid becomes a file name.
bool is_safe_uid(const std::string& uid) {
  return !uid.empty() && uid.size() <= 128 && uid[0] != '.' && uid.find('/') == std::string::npos &&
         uid.find('\0') == std::string::npos;
}

class BridgeNetwork final : public Network {
 public:
  BridgeNetwork(NetworkOptions options, Ipam ipam, client::Informers& informers, Clock& clock,
                Random& random, Files& files, Metrics& metrics)
      : options_(std::move(options)),
        ipam_(std::move(ipam)),
        wires_(wires_of(options_, ipam_)),
        clock_(clock),
        worker_("kl-network"),
        proxy_(make_service_proxy(proxy_of(options_), options_.nft_command,
                                  informers.of<ServiceObject>(), informers.of<SliceObject>(),
                                  worker_, clock, metrics)) {
    if (options_.cluster_dns.empty()) return;
    DnsOptions dns;
    dns.address = options_.cluster_dns;
    dns.domain = options_.cluster_domain;
    dns.networks = {options_.service_cidr, options_.cluster_cidr};
    dns.resolv_conf = options_.resolv_conf;
    dns_ = make_dns_server(std::move(dns), informers.of<ServiceObject>(),
                           informers.of<SliceObject>(), clock, random, files, metrics);
  }

  Task<Result<void>> setup() override {
    std::function<Result<void>()> make = [wires = wires_] { return make_bridge(wires); };
    KL_CHECK(co_await worker_.run<Result<void>>(std::move(make)));
    using Found = std::map<std::string, std::string>;
    std::function<Result<Found>()> find = [wires = wires_] { return find_pods(wires); };
    KL_TRY(pods, co_await worker_.run<Result<Found>>(std::move(find)));
    for (const auto& [uid, ip] : pods) {
      if (ipam_.adopt(uid, ip)) continue;
      // The node's pod network has changed, or two pods have one address: the pod is made again.
      log_.warn("pod network not usable any more", kv("pod", uid), kv("ip", ip));
      KL_CHECK(co_await unwire(uid));
    }
    co_return Result<void>();
  }

  Task<Result<void>> run() override {
    TaskGroup parts;
    parts.add("service proxy", proxy_->run());
    if (dns_) parts.add("dns", serve_dns());
    co_return co_await parts.run();
  }

  Task<Result<node::PodAddress>> attach(std::string uid, std::string) override {
    if (!is_safe_uid(uid)) co_return Error(Code::invalid, "\"{}\" cannot name a pod", uid);
    const bool had_one = ipam_.find(uid).has_value();
    KL_TRY(ip, ipam_.allocate(uid));
    std::function<Result<void>()> job = [wires = wires_, uid, ip] {
      return wire_pod(wires, uid, ip);
    };
    const auto wired = co_await worker_.run<Result<void>>(std::move(job));
    if (!wired) {
      if (!had_one) ipam_.release(uid);
      co_return wired.error();
    }
    node::PodAddress address;
    address.netns_path = netns_path(wires_, uid);
    address.ip = ip;
    co_return address;
  }

  Task<Result<void>> detach(std::string uid) override {
    if (!is_safe_uid(uid)) co_return Error(Code::invalid, "\"{}\" cannot name a pod", uid);
    KL_CHECK(co_await unwire(uid));
    ipam_.release(uid);
    co_return Result<void>();
  }

  const std::string& gateway() const override { return ipam_.gateway(); }
  std::vector<std::string> attached() const override { return ipam_.owners(); }

 private:
  // Another program may hold the port: pods run on without names, and get them as soon as it lets
  // go.
  Task<void> serve_dns() {
    for (;;) {
      const auto ended = co_await dns_->run();
      if (!ended) log_.error("no cluster DNS", kv("error", ended.error()));
      co_await clock_.sleep(kDnsRetryAfter);
    }
  }
  Task<Result<void>> unwire(std::string uid) {
    std::function<Result<void>()> job = [wires = wires_, uid] { return unwire_pod(wires, uid); };
    co_return co_await worker_.run<Result<void>>(std::move(job));
  }

  NetworkOptions options_;
  Ipam ipam_;
  WireOptions wires_;
  Clock& clock_;
  Log log_{"network"};
  Worker worker_;
  std::unique_ptr<ServiceProxy> proxy_;
  std::unique_ptr<DnsServer> dns_;
};

}  // namespace

Result<std::unique_ptr<Network>> make_network(NetworkOptions options, client::Informers& informers,
                                              Clock& clock, Random& random, Files& files,
                                              Metrics& metrics) {
  KL_TRY_FN(ipam, Ipam::make(options.pod_cidr));
  return std::unique_ptr<Network>(std::make_unique<BridgeNetwork>(
      std::move(options), std::move(ipam), informers, clock, random, files, metrics));
}

Result<void> remove_network(const NetworkOptions& options) {
  KL_TRY_FN(ipam, Ipam::make(options.pod_cidr));
  KL_CHECK_FN(remove_all_wires(wires_of(options, ipam)));
  auto removed = nft_apply(removal_text());
  // Without the library there were never any rules.
  if (removed.is(Code::unavailable)) return {};
  return removed;
}

}  // namespace kinglet::network
