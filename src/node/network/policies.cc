#include "node/network/policies.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "node/network/nft_runner.h"
#include "node/network/policy_model.h"
#include "node/network/policy_rules.h"

namespace kinglet::network {
namespace {

constexpr Duration kGatherFor = std::chrono::milliseconds(20);
constexpr Duration kRuleRetryAfter = std::chrono::seconds(1);
constexpr Duration kSettleMax =
    std::chrono::seconds(2);  // a pod starts then, whatever keeps the rules back

// The cluster as policies see it, watched for a while.
struct Watched {
  explicit Watched(std::unique_ptr<client::Informers> all)
      : informers(std::move(all)),
        pods(informers->of<PolicyPod>()),
        namespaces(informers->of<PolicyNamespace>()) {}
  std::unique_ptr<client::Informers> informers;
  client::Informer<PolicyPod> pods;
  client::Informer<PolicyNamespace> namespaces;
};

bool same_for_policies(const PolicyPod& a, const PolicyPod& b) {
  return a.ip == b.ip && a.node == b.node && a.ended == b.ended && a.named_ports == b.named_ports &&
         a.meta.labels == b.meta.labels;
}

class KernelPolicies final : public Policies {
 public:
  KernelPolicies(PolicyOptions options, client::Informers& informers, Worker& worker, Clock& clock)
      : options_(std::move(options)),
        informers_(informers),
        policies_(informers.of<PolicyObject>()),
        clock_(clock),
        nft_(options_.nft_command, worker, clock) {
    policies_.on_change([this](const auto*, const auto*) { touch(); });
  }

  Task<void> run() override {
    // Before the list is complete the rules of an earlier process are better than none.
    co_await policies_.core().wait_synced();
    for (;;) {
      if (policies_.size() > 0) {
        co_await enforce();
        continue;
      }
      co_await remove_rules();
      done_ = wanted_;
      settled_.notify_all();
      while (policies_.size() == 0) co_await changed_.wait();
    }
  }

  Task<void> settle() override {
    if (policies_.core().has_synced() && policies_.size() == 0) co_return;
    touch();
    auto waiting = wait_settled(wanted_);
    auto limited = with_deadline(clock_, kSettleMax, std::move(waiting));
    (void)co_await std::move(limited);
  }

 private:
  void touch() {
    ++wanted_;
    changed_.notify_all();
  }
  Task<Result<void>> wait_settled(uint64_t wanted) {
    while (done_ < wanted) co_await settled_.wait();
    co_return Result<void>();
  }

  // While there are policies.
  Task<void> enforce() {
    Watched watched(informers_.another());
    watched.pods.on_change([this](const PolicyPod* before, const PolicyPod* after) {
      if (!before || !after || !same_for_policies(*before, *after)) touch();
    });
    watched.namespaces.on_change(
        [this](const PolicyNamespace* before, const PolicyNamespace* after) {
          if (!before || !after || before->meta.labels != after->meta.labels) touch();
        });
    TaskGroup parts;
    parts.add("policy informers", watched.informers->run());
    parts.add("policy rules", keep_rules(watched, parts));
    (void)co_await parts.run();
  }

  Task<void> keep_rules(const Watched& watched, TaskGroup& parts) {
    co_await watched.pods.core().wait_synced();
    co_await watched.namespaces.core().wait_synced();
    ++wanted_;
    while (policies_.size() > 0) {
      if (done_ == wanted_) {
        co_await changed_.wait();
        continue;
      }
      const uint64_t now = wanted_;
      const auto synced = co_await sync(watched);
      if (synced) {
        done_ = now;
        settled_.notify_all();
      } else {
        log_.error("network policies not applied", kv("error", synced.error()));
        applied_.reset();
      }
      co_await clock_.sleep(synced ? kGatherFor : kRuleRetryAfter);
    }
    parts.cancel();
  }

  Task<Result<void>> sync(const Watched& watched) {
    PolicyWorld world;
    world.node_name = options_.node_name;
    world.address_here = [this](const PolicyPod& pod) { return options_.address_of(pod.meta.uid); };
    policies_.for_each([&](const PolicyObject& policy) { world.policies.push_back(&policy); });
    watched.pods.for_each([&](const PolicyPod& pod) { world.pods.push_back(&pod); });
    watched.namespaces.for_each(
        [&](const PolicyNamespace& ns) { world.namespaces.push_back(&ns); });
    Ruleset wanted = build_policy_rules(world);
    std::string text = applied_ ? policy_change_text(*applied_, wanted) : policy_full_text(wanted);
    if (!text.empty()) KL_CHECK(co_await nft_.apply(std::move(text)));
    applied_ = std::move(wanted);
    co_return Result<void>();
  }

  Task<void> remove_rules() {
    applied_.reset();
    std::string text = policy_removal_text();
    const auto removed = co_await nft_.apply(std::move(text));
    // Without the library there never were any.
    if (!removed && !removed.is(Code::unavailable))
      log_.warn("rules of network policies not removed", kv("error", removed.error()));
  }

  PolicyOptions options_;
  client::Informers& informers_;
  client::Informer<PolicyObject> policies_;
  Clock& clock_;
  NftRunner nft_;
  Log log_{"policy"};
  Signal changed_, settled_;
  uint64_t wanted_ = 0, done_ = 0;  // changes seen, and those of them that the rules know
  std::optional<Ruleset> applied_;  // nullopt: what the kernel has is not known
};

}  // namespace

std::unique_ptr<Policies> make_policies(PolicyOptions options, client::Informers& informers,
                                        Worker& worker, Clock& clock) {
  return std::make_unique<KernelPolicies>(std::move(options), informers, worker, clock);
}

}  // namespace kinglet::network
