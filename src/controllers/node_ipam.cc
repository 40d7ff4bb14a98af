// Node IPAM controller: gives each node its part of the cluster's pod network, in spec.podCIDR,
// once and for all. Source: upstream's node-ipam-controller (RangeAllocator), whose event it uses.
#include "base/log.h"
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/cidr_pool.h"
#include "controllers/internal/kinds.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::EventType;
using client::Informer;
using client::Outcome;

constexpr int kNodePrefix = 24;  // 254 addresses: more than the 110 pods of a node, as k3s
constexpr Duration kFullRetry = 60s;

class NodeIpam final : public client::Reconciler {
 public:
  NodeIpam(const Deps& deps, client::Runner& runner, CidrPool pool)
      : events_(deps.events),
        pool_(std::move(pool)),
        nodes_(runner.reads(deps.informers.of<Node>())) {
    if (!deps.options.own_node.empty())
      pool_.prefer(deps.options.own_node, deps.options.own_node_cidr);
    nodes_.on_change([this, &runner](const Node* before, const Node* after) {
      if (!after) {
        pool_.release(before->meta.name);
        wake_waiting(runner);
      } else if (after->pod_cidr.empty()) {
        runner.add(after->meta.key());
      } else if (!before || before->pod_cidr.empty()) {
        note(*after);
      }
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto node = nodes_.find(key);
    if (!node || !node->pod_cidr.empty()) co_return Outcome::done();
    const auto cidr = pool_.allot(key.name);
    if (!cidr) {
      events_.event(
          client::reference_to(Node::resource(), node->meta), EventType::normal, "CIDRNotAvailable",
          fmt::format("Node {} status is now: CIDRNotAvailable", key.name), "cidrAllocator");
      co_return Outcome::again(kFullRetry);
    }
    // The uid keeps a node that was made anew under the name from getting another's allotment
    // unseen.
    const json::Value patch = json::Object{
        {"metadata", json::Object{{"uid", node->meta.uid}}},
        {"spec", json::Object{{"podCIDR", *cidr}, {"podCIDRs", json::Array{json::Value(*cidr)}}}}};
    const auto written = co_await client::merge(api, Node::resource(), key, patch);
    KL_CHECK(client::unless(Code::not_found, written), "pod network of {}", key.name);
    co_return Outcome::done();
  }

 private:
  void note(const Node& node) {
    if (!pool_.take(node.meta.name, node.pod_cidr))
      log_.warn("a node's pod network is not one of ours, or another node's",
                kv("node", node.meta.name), kv("network", node.pod_cidr));
  }
  void wake_waiting(client::Runner& runner) {
    nodes_.for_each([&](const Node& node) {
      if (node.pod_cidr.empty()) runner.add(node.meta.key());
    });
  }

  client::EventRecorder& events_;
  CidrPool pool_;
  Informer<Node> nodes_;
  Log log_{"node-ipam"};
};
}  // namespace

RunnerPtr make_node_ipam(const Deps& deps) {
  auto pool = CidrPool::make(deps.options.cluster_cidr, kNodePrefix);
  KL_ASSERT(pool, "the cluster's pod network was checked with the flags");
  auto runner = deps.runner("node-ipam-controller", 1);
  runner->use(std::make_unique<NodeIpam>(deps, *runner, std::move(*pool)));
  return runner;
}

}  // namespace kinglet::controllers
