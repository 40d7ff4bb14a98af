#include "node/network/service_proxy.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/process.h"
#include "base/signal.h"
#include "base/task.h"
#include "node/network/conntrack.h"
#include "node/network/nft_apply.h"

namespace kinglet::network {
namespace {

// Changes come in bursts (a rollout): the first is applied at once, the others gather for so long.
constexpr Duration kApplyEveryMin = std::chrono::milliseconds(50);
constexpr Duration kRetryAfter = std::chrono::seconds(1);
// Longer texts are parsed in a child: libnftables would keep the memory.
constexpr size_t kInProcessTextMax = 16 << 10;
constexpr Duration kChildLimit = std::chrono::seconds(60);

class Proxy final : public ServiceProxy {
 public:
  Proxy(ProxyConfig config, std::vector<std::string> command,
        client::Informer<ServiceObject> services, client::Informer<SliceObject> slices,
        Worker& worker, Clock& clock, Metrics& metrics)
      : config_(std::move(config)),
        command_(std::move(command)),
        services_(services),
        slices_(slices),
        worker_(worker),
        clock_(clock),
        sync_seconds_(metrics.histogram("kubeproxy_sync_proxy_rules_duration_seconds",
                                        "Time to bring the rules up to date.",
                                        {.001, .005, .01, .05, .1, .5, 1, 5})) {
    const auto touched = [this](const auto*, const auto*) {
      dirty_ = true;
      changed_.notify_all();
    };
    services_.on_change(touched);
    slices_.on_change(touched);
  }

  Task<void> run() override {
    // Before both lists are complete the rules of an earlier process are better than ours.
    co_await services_.core().wait_synced();
    co_await slices_.core().wait_synced();
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
  Task<Result<void>> sync() {
    Ruleset wanted = build_rules(config_, world_of(services_, slices_));
    std::string text = applied_ ? change_text(*applied_, wanted) : full_text(config_, wanted);
    const UdpServices stale = changed_udp(applied_ ? applied_->udp : UdpServices{}, wanted.udp);
    if (!text.empty()) KL_CHECK(co_await apply(std::move(text)));
    applied_ = std::move(wanted);
    std::function<Result<size_t>()> clean = [stale] { return delete_stale_flows(stale); };
    const auto cleaned = co_await worker_.run<Result<size_t>>(std::move(clean));
    if (!cleaned) log_.warn("stale UDP flows not deleted", kv("error", cleaned.error()));
    co_return Result<void>();
  }

  Task<Result<void>> apply(std::string text) {
    if (text.size() <= kInProcessTextMax || command_.empty()) {
      std::function<Result<void>()> job = [text = std::move(text)] { return nft_apply(text); };
      co_return co_await worker_.run<Result<void>>(std::move(job));
    }
    Command command;
    command.argv = command_;
    command.input = std::move(text);
    Task<Result<Exit>> child = run_process(std::move(command));
    KL_TRY(exit, co_await with_limit(std::move(child)), "nftables in a child");
    if (exit.code != 0) co_return Error(Code::unavailable, "{}", exit.err);
    co_return Result<void>();
  }
  Task<Result<Exit>> with_limit(Task<Result<Exit>> child) {
    co_return co_await with_deadline(clock_, kChildLimit, std::move(child));
  }

  ProxyConfig config_;
  std::vector<std::string> command_;
  client::Informer<ServiceObject> services_;
  client::Informer<SliceObject> slices_;
  Worker& worker_;
  Clock& clock_;
  Histogram& sync_seconds_;
  Log log_{"proxy"};
  Signal changed_;
  bool dirty_ = false;
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
                                                 client::Informer<ServiceObject> services,
                                                 client::Informer<SliceObject> slices,
                                                 Worker& worker, Clock& clock, Metrics& metrics) {
  return std::make_unique<Proxy>(std::move(config), std::move(command), services, slices, worker,
                                 clock, metrics);
}

}  // namespace kinglet::network
