#include "node/network/peer_routes.h"

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "client/conditions.h"
#include "node/network/overlay_links.h"
#include "node/network/service_model.h"

namespace kinglet::network {
namespace {

constexpr Duration kApplyEveryMin = std::chrono::milliseconds(20);
constexpr Duration kRetryAfter = std::chrono::seconds(2);

class Routes final : public PeerRoutes {
 public:
  Routes(client::Informer<PeerNode> nodes, Worker& worker, Clock& clock)
      : nodes_(nodes), worker_(worker), clock_(clock) {
    nodes_.on_change([this](const PeerNode* before, const PeerNode* after) {
      // A node's heartbeat is not a change of its place.
      if (before && after && before->address == after->address &&
          before->pod_cidr == after->pod_cidr)
        return;
      dirty_ = true;
      changed_.notify_all();
    });
  }

  Task<void> run(OverlayConfig config) override {
    // Before the list is complete the routes of an earlier process are better than ours.
    co_await nodes_.core().wait_synced();
    dirty_ = true;
    for (;;) {
      while (!dirty_) co_await changed_.wait();
      dirty_ = false;
      OverlayState wanted = overlay_of(config, peers());
      const size_t count = wanted.routes.size();
      std::function<Result<void>()> job = [config, wanted = std::move(wanted)] {
        return apply_overlay(config, wanted);
      };
      auto applying = worker_.run<Result<void>>(std::move(job));
      const auto applied = co_await std::move(applying);
      if (!applied) {
        // The same words every two seconds would wear out the flash of a node whose peer is on
        // another link.
        if (applied.error().message() != complaint_)
          log_.warn("ways to other nodes not set", kv("error", applied.error()));
        complaint_ = applied.error().message();
        dirty_ = true;
      } else {
        if (std::exchange(peers_, count) != count)
          log_.info("ways to other nodes set", kv("peers", count));
        complaint_.clear();
      }
      co_await clock_.sleep(applied ? kApplyEveryMin : kRetryAfter);
    }
  }

 private:
  std::vector<Peer> peers() const {
    std::vector<Peer> out;
    nodes_.for_each([&](const PeerNode& node) {
      out.push_back({node.meta.name, node.pod_cidr, node.address});
    });
    return out;
  }

  client::Informer<PeerNode> nodes_;
  Worker& worker_;
  Clock& clock_;
  Log log_{"network"};
  Signal changed_;
  bool dirty_ = false;
  size_t peers_ = 0;
  std::string complaint_;
};

}  // namespace

const schema::Resource& PeerNode::resource() {
  static const auto& found = client::resource("", "v1", "nodes");
  return found;
}

std::shared_ptr<PeerNode> PeerNode::decode(const json::Value& object) {
  auto node = std::make_shared<PeerNode>();
  node->pod_cidr = json::text_at(object, {"spec", "podCIDR"});
  for (const auto& item : client::array_at(object, {"status", "addresses"})) {
    std::string address = client::string_at(item, {"address"});
    if (json::text_at(item, {"type"}) != "InternalIP" || !is_ipv4(address)) continue;
    node->address = std::move(address);
    break;
  }
  const auto conditions = client::conditions_at(object, {"status", "conditions"});
  const auto* ready = client::find_condition(conditions, "Ready");
  node->lost = ready && ready->status == "Unknown";
  return node;
}

std::unique_ptr<PeerRoutes> make_peer_routes(client::Informer<PeerNode> nodes, Worker& worker,
                                             Clock& clock) {
  return std::make_unique<Routes>(nodes, worker, clock);
}

}  // namespace kinglet::network
