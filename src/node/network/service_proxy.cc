#include "node/network/service_proxy.h"

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "node/network/conntrack.h"
#include "node/network/netns.h"
#include "node/network/nft_runner.h"

namespace kinglet::network {
namespace {

// Changes come in bursts (a rollout): the first is applied at once, the others gather for so long.
constexpr Duration kApplyEveryMin = std::chrono::milliseconds(50);
constexpr Duration kRetryAfter = std::chrono::seconds(1);

class Proxy final : public ServiceProxy {
 public:
  Proxy(ProxyConfig config, std::vector<std::string> command, ProxyInputs inputs, Worker& worker,
        Clock& clock, Metrics& metrics)
      : config_(std::move(config)),
        nft_(std::move(command), worker, clock),
        in_(std::move(inputs)),
        worker_(worker),
        clock_(clock),
        sync_seconds_(metrics.histogram("kubeproxy_sync_proxy_rules_duration_seconds",
                                        "Time to bring the rules up to date.",
                                        {.001, .005, .01, .05, .1, .5, 1, 5})) {
    const auto touched = [this](const auto*, const auto*) { touch(); };
    in_.services.on_change(touched);
    in_.slices.on_change(touched);
    in_.pods.on_change([this](const node::LocalPod* before, const node::LocalPod* after) {
      pod_changed(before, after);
    });
    in_.nodes.on_change([this](const PeerNode* before, const PeerNode* after) {
      if (after && after->lost && !(before && before->lost)) touch();
    });
  }

  Task<void> run() override {
    // Before both lists are complete the rules of an earlier process are better than ours.
    co_await in_.services.core().wait_synced();
    co_await in_.slices.core().wait_synced();
    co_await in_.pods.core().wait_synced();
    dirty_ = true;
    for (;;) {
      while (!dirty_) co_await changed_.wait();
      dirty_ = false;
      const TimePoint began = clock_.now();
      const auto synced = co_await sync();
      sync_seconds_.observe(std::chrono::duration<double>(clock_.now() - began).count());
      if (!synced) {
        log_.warn("rules not applied", kv("error", synced.error()));
        applied_.reset();
        dirty_ = true;
      }
      co_await clock_.sleep(synced ? kApplyEveryMin : kRetryAfter);
    }
  }

 private:
  void touch() {
    dirty_ = true;
    changed_.notify_all();
  }

  void pod_changed(const node::LocalPod* before, const node::LocalPod* after) {
    std::vector<HostPort> ports =
        after ? host_ports_of(after->raw.view()) : std::vector<HostPort>();
    const client::ObjectKey key = (after ? after : before)->meta.key();
    const auto known = host_ports_.find(key);
    if (known == host_ports_.end() ? ports.empty() : known->second == ports) return;
    if (ports.empty())
      host_ports_.erase(known);
    else
      host_ports_[key] = std::move(ports);
    touch();
  }

  Task<Result<void>> sync() {
    ServiceWorld world = world_of(in_.services, in_.slices);
    for (const auto& [key, ports] : host_ports_)
      world.host_ports.insert(world.host_ports.end(), ports.begin(), ports.end());
    Ruleset wanted = build_rules(config_, world);
    std::string text = applied_ ? change_text(*applied_, wanted) : full_text(config_, wanted);
    const UdpServices stale = changed_udp(applied_ ? applied_->udp : UdpServices{}, wanted.udp);
    if (!text.empty()) KL_CHECK(co_await nft_.apply(std::move(text)));
    applied_ = std::move(wanted);
    std::function<Result<size_t>()> clean = [stale] { return delete_stale_flows(stale); };
    const auto cleaned = co_await worker_.run<Result<size_t>>(std::move(clean));
    if (!cleaned) log_.warn("stale UDP flows not deleted", kv("error", cleaned.error()));
    const auto ended = co_await end_lost_connections();
    if (!ended) log_.warn("connections to lost nodes not ended", kv("error", ended.error()));
    co_return Result<void>();
  }

  // Again after each change while a node is lost: its endpoints leave a little later than its sign
  // of life.
  Task<Result<void>> end_lost_connections() {
    std::vector<std::string> lost;
    in_.nodes.for_each([&](const PeerNode& node) {
      if (!node.lost || node.meta.name == config_.node_name) return;
      if (!node.pod_cidr.empty()) lost.push_back(node.pod_cidr);
      if (!node.address.empty()) lost.push_back(node.address + "/32");
    });
    if (lost.empty()) co_return Result<void>();
    using Flows = std::vector<TranslatedFlow>;
    std::function<Result<Flows>()> forget = [lost] { return delete_flows_to(lost); };
    KL_TRY(flows, co_await worker_.run<Result<Flows>>(std::move(forget)));
    std::map<std::string, Flows> by_netns;
    for (auto& flow : flows)
      if (flow.tcp) by_netns[in_.netns_of(flow.source)].push_back(std::move(flow));
    if (by_netns.empty()) co_return Result<void>();
    log_.info("connections to lost nodes ended", kv("count", flows.size()));
    std::function<Result<void>()> abort = [by_netns]() -> Result<void> {
      for (const auto& [netns, connections] : by_netns) KL_CHECK_FN(abort_all(netns, connections));
      return {};
    };
    co_return co_await worker_.run<Result<void>>(std::move(abort));
  }

  // A client outside of this node has no socket here: it learns of it from the next endpoint.
  static Result<void> abort_all(const std::string& netns,
                                const std::vector<TranslatedFlow>& flows) {
    const auto work = [&]() -> Result<void> {
      for (const auto& flow : flows)
        if (auto aborted = abort_connection(flow); !aborted) return std::move(aborted.error());
      return {};
    };
    if (netns.empty()) return work();
    KL_TRY_FN(fd, open_netns(netns));
    return in_netns(fd.get(), work);
  }

  ProxyConfig config_;
  NftRunner nft_;
  ProxyInputs in_;
  Worker& worker_;
  Clock& clock_;
  Histogram& sync_seconds_;
  Log log_{"proxy"};
  Signal changed_;
  bool dirty_ = false;
  std::map<client::ObjectKey, std::vector<HostPort>> host_ports_;
  std::optional<Ruleset> applied_;  // nullopt: what the kernel has is not known
};

}  // namespace

ServiceWorld world_of(const client::Informer<ServiceObject>& services,
                      const client::Informer<SliceObject>& slices) {
  ServiceWorld world;
  services.for_each([&](const ServiceObject& object) { world.services.push_back(&object.model); });
  slices.for_each([&](const SliceObject& object) {
    world.slices.emplace(std::pair(object.model.ns, object.model.service), &object.model);
  });
  return world;
}

std::unique_ptr<ServiceProxy> make_service_proxy(ProxyConfig config,
                                                 std::vector<std::string> command,
                                                 ProxyInputs inputs, Worker& worker, Clock& clock,
                                                 Metrics& metrics) {
  return std::make_unique<Proxy>(std::move(config), std::move(command), std::move(inputs), worker,
                                 clock, metrics);
}

}  // namespace kinglet::network
