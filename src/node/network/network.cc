#include "node/network/network.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "base/worker.h"
#include "node/local_pod.h"
#include "node/network/dns_server.h"
#include "node/network/ipam.h"
#include "node/network/links.h"
#include "node/network/nft_apply.h"
#include "node/network/overlay_links.h"
#include "node/network/peer_routes.h"
#include "node/network/pod_wires.h"
#include "node/network/policies.h"
#include "node/network/policy_rules.h"
#include "node/network/proxy_rules.h"
#include "node/network/service_proxy.h"

namespace kinglet::network {
namespace {

constexpr Duration kDnsRetryAfter = std::chrono::seconds(10);
// How long a pod waits for the node's part of the network before its caller hears why.
constexpr Duration kReadyWaitMax = std::chrono::seconds(5);
constexpr size_t kCidrBytesMax = 64;

WireOptions wires_of(const NetworkOptions& options) {
  WireOptions wires;
  wires.netns_dir = options.run_dir + "/netns";
  wires.bridge = options.bridge;
  wires.service_cidr = options.service_cidr;
  wires.cluster_dns = options.cluster_dns;
  wires.mtu = options.mtu;
  // Also while there is no other node: pods that run when the first one joins keep their MTU.
  wires.mtu_overhead = options.backend == Backend::vxlan ? kVxlanOverheadBytes : 0;
  return wires;
}

ProxyConfig proxy_of(const NetworkOptions& options, const std::string& pod_cidr) {
  ProxyConfig config;
  config.bridge = options.bridge;
  config.overlay = OverlayConfig().device;
  config.pod_cidr = pod_cidr;
  config.cluster_cidr = options.cluster_cidr;
  config.service_cidr = options.service_cidr;
  config.cluster_dns = options.cluster_dns;
  config.node_name = options.node_name;
  return config;
}

OverlayConfig overlay_config(const NetworkOptions& options, const std::string& pod_cidr,
                             const std::string& gateway, int mtu) {
  OverlayConfig config;
  config.backend = options.backend;
  config.node_name = options.node_name;
  config.pod_cidr = pod_cidr;
  config.cluster_cidr = options.cluster_cidr;
  config.gateway = gateway;
  config.mtu = mtu;
  return config;
}

// A uid becomes a file name.
bool is_safe_uid(const std::string& uid) {
  return !uid.empty() && uid.size() <= 128 && uid[0] != '.' && uid.find('/') == std::string::npos &&
         uid.find('\0') == std::string::npos;
}

class BridgeNetwork final : public Network {
 public:
  BridgeNetwork(NetworkOptions options, client::Informers& informers, Clock& clock, Random& random,
                Files& files, Metrics& metrics)
      : options_(std::move(options)),
        wires_(wires_of(options_)),
        services_(informers.of<ServiceObject>()),
        slices_(informers.of<SliceObject>()),
        nodes_(informers.of<PeerNode>()),
        pods_(informers.of<node::LocalPod>("", "spec.nodeName=" + options_.node_name)),
        clock_(clock),
        files_(files),
        metrics_(metrics),
        worker_("kl-network"),
        routes_(make_peer_routes(nodes_, worker_, clock)),
        policies_(make_policies(
            {options_.node_name, options_.nft_command,
             [this](const std::string& uid) { return ipam_ ? ipam_->find(uid).value_or("") : ""; }},
            informers, worker_, clock)) {
    nodes_.on_change([this](const PeerNode*, const PeerNode* after) {
      if (after && after->meta.name == options_.node_name) node_changed_.notify_all();
    });
    if (options_.cluster_dns.empty()) return;
    DnsOptions dns;
    dns.address = options_.cluster_dns;
    dns.domain = options_.cluster_domain;
    dns.networks = {options_.service_cidr, options_.cluster_cidr};
    dns.resolv_conf = options_.resolv_conf;
    dns_ = make_dns_server(std::move(dns), services_, slices_, clock, random, files, metrics);
  }

  Task<Result<void>> setup() override {
    std::string known = options_.pod_cidr.empty() ? remembered() : options_.pod_cidr;
    if (known.empty()) co_return Result<void>();
    auto up = bring_up(std::move(known));
    co_return co_await std::move(up);
  }

  Task<Result<void>> run() override {
    while (!ipam_) {
      std::string told = told_cidr();
      if (told.empty()) {
        co_await node_changed_.wait();
        continue;
      }
      auto up = bring_up(std::move(told));
      KL_CHECK(co_await std::move(up));
    }
    ProxyInputs inputs{services_, slices_, nodes_, pods_,
                       [this](const std::string& ip) { return netns_with(ip); }};
    proxy_ = make_service_proxy(proxy_of(options_, pod_cidr_), options_.nft_command,
                                std::move(inputs), worker_, clock_, metrics_);
    TaskGroup parts;
    parts.add("service proxy", proxy_->run());
    parts.add("network policies", policies_->run());
    if (dns_) parts.add("dns", serve_dns());
    if (options_.backend != Backend::none) parts.add("other nodes", routes_->run(overlay_));
    if (options_.pod_cidr.empty()) parts.add("pod network range", follow_cidr());
    co_return co_await parts.run();
  }

  Task<void> wait_ready() override {
    while (!ipam_) co_await ready_.wait();
  }

  Task<Result<node::PodAddress>> attach(std::string uid, std::string) override {
    if (!is_safe_uid(uid)) co_return Error(Code::invalid, "\"{}\" cannot name a pod", uid);
    if (!ipam_) {
      auto ready = become_ready();
      auto waiting = with_deadline(clock_, kReadyWaitMax, std::move(ready));
      const auto waited = co_await std::move(waiting);
      if (!waited)
        co_return Error(Code::unavailable,
                        "this node has no pod network yet: its Node object has no spec.podCIDR");
    }
    const bool had_one = ipam_->find(uid).has_value();
    KL_TRY(ip, ipam_->allocate(uid));
    std::function<Result<void>()> job = [wires = wires_, uid, ip] {
      return wire_pod(wires, uid, ip);
    };
    const auto wired = co_await worker_.run<Result<void>>(std::move(job));
    if (!wired) {
      if (!had_one) ipam_->release(uid);
      co_return wired.error();
    }
    // Before its first process runs: a policy that selects it holds from then on.
    co_await policies_->settle();
    node::PodAddress address;
    address.netns_path = netns_path(wires_, uid);
    address.ip = ip;
    co_return address;
  }

  Task<Result<void>> detach(std::string uid) override {
    if (!is_safe_uid(uid)) co_return Error(Code::invalid, "\"{}\" cannot name a pod", uid);
    KL_CHECK(co_await unwire(uid));
    if (ipam_) ipam_->release(uid);
    co_return Result<void>();
  }

  const std::string& gateway() const override { return wires_.gateway; }
  std::vector<std::string> attached() const override {
    return ipam_ ? ipam_->owners() : std::vector<std::string>();
  }

 private:
  std::string netns_with(const std::string& ip) const {
    for (const auto& uid : ipam_->owners())
      if (ipam_->find(uid) == ip) return netns_path(wires_, uid);
    return "";
  }

  // Of our Node object; empty: not there yet, or not usable.
  std::string told_cidr() const {
    const auto own = nodes_.find({"", options_.node_name});
    return own && Ipam::make(own->pod_cidr) ? own->pod_cidr : "";
  }
  std::string remembered() const {
    if (options_.pod_cidr_file.empty()) return "";
    auto text = read_file(files_, options_.pod_cidr_file, kCidrBytesMax);
    return text && Ipam::make(*text) ? *text : "";
  }
  void remember(const std::string& cidr) {
    if (options_.pod_cidr_file.empty() || remembered() == cidr) return;
    const auto written = write_file(files_, options_.pod_cidr_file, cidr);
    if (!written) log_.warn("pod network range not remembered", kv("error", written.error()));
  }

  Task<Result<void>> bring_up(std::string cidr) {
    KL_TRY(ipam, Ipam::make(cidr));
    wires_.gateway = ipam.gateway();
    wires_.prefix = ipam.prefix();
    std::function<Result<int>()> make = [wires = wires_]() -> Result<int> {
      KL_CHECK_FN(make_bridge(wires));
      KL_TRY_FN(links, open_links());
      return links->mtu(wires.bridge);
    };
    KL_TRY(mtu, co_await worker_.run<Result<int>>(std::move(make)));
    using Found = std::map<std::string, std::string>;
    std::function<Result<Found>()> find = [wires = wires_] { return find_pods(wires); };
    KL_TRY(pods, co_await worker_.run<Result<Found>>(std::move(find)));
    for (const auto& [uid, ip] : pods) {
      if (ipam.adopt(uid, ip)) continue;
      // The node's pod network has changed, or two pods have one address: the pod is made again.
      log_.warn("pod network not usable any more", kv("pod", uid), kv("ip", ip));
      KL_CHECK(co_await unwire(uid));
    }
    remember(cidr);
    overlay_ = overlay_config(options_, cidr, wires_.gateway, mtu);
    pod_cidr_ = std::move(cidr);
    ipam_ = std::move(ipam);
    ready_.notify_all();
    co_return Result<void>();
  }

  Task<Result<void>> become_ready() {
    co_await wait_ready();
    co_return Result<void>();
  }

  // A Node that was deleted and made anew may get another range. The pods here have addresses of
  // the old one: they keep them until the next start, which makes their networks again.
  Task<void> follow_cidr() {
    for (;;) {
      const std::string told = told_cidr();
      if (!told.empty() && told != pod_cidr_ && remembered() != told) {
        log_.error("this node was given another pod network: start kinglet again to use it",
                   kv("now", pod_cidr_), kv("then", told));
        remember(told);
      }
      co_await node_changed_.wait();
    }
  }

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
  WireOptions wires_;  // gateway and prefix: once the range is known
  client::Informer<ServiceObject> services_;
  client::Informer<SliceObject> slices_;
  client::Informer<PeerNode> nodes_;
  client::Informer<node::LocalPod> pods_;  // the node agent's, not another watch
  Clock& clock_;
  Files& files_;
  Metrics& metrics_;
  Log log_{"network"};
  Worker worker_;
  std::unique_ptr<PeerRoutes> routes_;
  std::unique_ptr<Policies> policies_;
  std::unique_ptr<ServiceProxy> proxy_;
  std::unique_ptr<DnsServer> dns_;
  std::optional<Ipam> ipam_;  // once the range is known
  std::string pod_cidr_;
  OverlayConfig overlay_;
  Signal ready_, node_changed_;
};

}  // namespace

Result<std::unique_ptr<Network>> make_network(NetworkOptions options, client::Informers& informers,
                                              Clock& clock, Random& random, Files& files,
                                              Metrics& metrics) {
  if (!options.pod_cidr.empty()) KL_CHECK_FN(Ipam::make(options.pod_cidr));
  return std::unique_ptr<Network>(std::make_unique<BridgeNetwork>(std::move(options), informers,
                                                                  clock, random, files, metrics));
}

Result<void> remove_network(const NetworkOptions& options) {
  KL_CHECK_FN(remove_overlay(OverlayConfig()));
  KL_CHECK_FN(remove_all_wires(wires_of(options)));
  auto removed = nft_apply(removal_text() + policy_removal_text());
  // Without the library there were never any rules.
  if (removed.is(Code::unavailable)) return {};
  return removed;
}

}  // namespace kinglet::network
