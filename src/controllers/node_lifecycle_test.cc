// The node lifecycle controller with somebody who watches the nodes' connections.
#include "client/node_liveness.h"
#include "client/testing/world.h"
#include "controllers/internal/node_health.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

class FakeLiveness final : public client::NodeLiveness {
 public:
  State state(const std::string& node) const override {
    const auto found = states_.find(node);
    return found == states_.end() ? State::unknown : found->second;
  }
  void on_change(std::function<void(const std::string&)> changed) override {
    changed_ = std::move(changed);
  }
  void set(const std::string& node, State state) {
    states_[node] = state;
    changed_(node);
  }

 private:
  std::map<std::string, State> states_;
  std::function<void(const std::string&)> changed_;
};

struct LifecycleWorld : client::testing::World {
  LifecycleWorld() {
    options.liveness = &liveness;
    runner = make_node_lifecycle({api, *clock, *random, *metrics, informers, events, options});
    for (const char* name : {"edge-1", "edge-2"}) ready(name);
    start("informers", informers.run());
    start("events", events.run());
    start("controller", runner->run());
    run_for(std::chrono::milliseconds(500));
  }
  ~LifecycleWorld() { stop(); }

  // The node says that it is ready; what others wrote stays.
  void ready(const std::string& name) {
    auto node = api.read(Node::resource(), "", name);
    if (node.is_null())
      node = json::Object{
          {"kind", "Node"}, {"apiVersion", "v1"}, {"metadata", json::Object{{"name", name}}}};
    json::Object condition = {
        {"type", "Ready"}, {"status", "True"}, {"lastHeartbeatTime", rfc3339(clock->wall())}};
    node.as_object()["status"] =
        json::Object{{"conditions", json::Array{json::Value(std::move(condition))}}};
    const auto put = api.put(Node::resource(), std::move(node));
    ASSERT_TRUE(put) << put.error().message();
  }
  std::string readiness(const std::string& name) const {
    const auto node = Node::decode(api.read(Node::resource(), "", name));
    return node->condition("Ready")->status;
  }
  bool tainted(const std::string& name) const {
    const auto node = Node::decode(api.read(Node::resource(), "", name));
    return std::any_of(node->taints.begin(), node->taints.end(),
                       [](const auto& t) { return t.key == kTaintUnreachable; });
  }

  FakeLiveness liveness;
  Options options;
  RunnerPtr runner;
};

using State = client::NodeLiveness::State;

TEST(NodeLifecycle, a_lost_connection_counts_at_once) {
  LifecycleWorld world;
  world.liveness.set("edge-1", State::alive);
  world.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.readiness("edge-1"), "True");
  world.liveness.set("edge-1", State::lost);
  EXPECT_TRUE(world.run_until(
      [&] { return world.readiness("edge-1") == "Unknown" && world.tainted("edge-1"); },
      std::chrono::milliseconds(300)));
  EXPECT_EQ(world.readiness("edge-2"), "True");
}

TEST(NodeLifecycle, a_live_connection_outweighs_a_lease_that_is_not_renewed) {
  LifecycleWorld world;
  world.liveness.set("edge-1", State::alive);
  world.run_for(std::chrono::minutes(3));
  EXPECT_EQ(world.readiness("edge-1"), "True");
  EXPECT_EQ(world.readiness("edge-2"), "Unknown");  // nobody watches it: its lease decides
}

TEST(NodeLifecycle, a_node_that_is_back_loses_its_taint_when_it_says_it_is_ready) {
  LifecycleWorld world;
  world.liveness.set("edge-1", State::lost);
  ASSERT_TRUE(world.run_until([&] { return world.tainted("edge-1"); }));
  world.liveness.set("edge-1", State::alive);
  world.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.readiness("edge-1"), "Unknown");  // only the node knows whether it is ready
  world.ready("edge-1");
  EXPECT_TRUE(world.run_until([&] { return !world.tainted("edge-1"); }, std::chrono::seconds(1)));
}

}  // namespace
}  // namespace kinglet::controllers
