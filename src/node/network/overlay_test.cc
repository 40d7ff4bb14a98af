#include "node/network/overlay.h"

#include <gtest/gtest.h>

#include "node/network/links.h"
#include "node/network/netns.h"
#include "node/network/overlay_links.h"
#include "node/network/own_network_test.h"
#include "node/network/peer_routes.h"
#include "node/network/pod_wires.h"

namespace kinglet::network {
namespace {

OverlayConfig config_of(const std::string& name, const std::string& cidr,
                        Backend backend = Backend::vxlan) {
  OverlayConfig config;
  config.backend = backend;
  config.node_name = name;
  config.pod_cidr = cidr;
  config.cluster_cidr = "10.42.0.0/16";
  config.gateway = cidr.substr(0, cidr.rfind('.')) + ".1";
  config.mtu = 1450;
  return config;
}

TEST(Overlay, takes_the_peers_that_can_be_reached) {
  struct Case {
    const char* name;
    Peer peer;
    bool taken;
  };
  const Case cases[] = {
      {"a peer", {"b", "10.42.1.0/24", "192.0.2.2"}, true},
      {"ourselves", {"a", "10.42.1.0/24", "192.0.2.2"}, false},
      {"no pod network yet", {"b", "", "192.0.2.2"}, false},
      {"no address yet", {"b", "10.42.1.0/24", ""}, false},
      {"a machine without a cable", {"b", "10.42.1.0/24", "127.0.0.1"}, false},
      {"our own network", {"b", "10.42.0.0/24", "192.0.2.2"}, false},
      {"around ours", {"b", "10.42.0.0/20", "192.0.2.2"}, false},
      {"inside ours", {"b", "10.42.0.128/25", "192.0.2.2"}, false},
      {"outside of the cluster's", {"b", "10.44.1.0/24", "192.0.2.2"}, false},
      {"everything", {"b", "0.0.0.0/0", "192.0.2.2"}, false},
      {"not a network", {"b", "10.42.1.7/24", "192.0.2.2"}, false},
      {"rubbish", {"b", "x", "y"}, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto state = overlay_of(config_of("a", "10.42.0.0/24"), {c.peer});
    EXPECT_EQ(state.routes.size(), c.taken ? 1u : 0u);
    EXPECT_EQ(state.tunnels.size(), state.routes.size());
  }
}

TEST(Overlay, is_the_same_for_peers_in_any_order) {
  const Peer b{"b", "10.42.1.0/24", "192.0.2.2"}, c{"c", "10.42.2.0/24", "192.0.2.3"},
      thief{"d", "10.42.1.0/24", "192.0.2.4"};
  const auto config = config_of("a", "10.42.0.0/24");
  const auto state = overlay_of(config, {b, c, thief});
  EXPECT_EQ(state, overlay_of(config, {thief, c, b})) << "two with one network: the first by name";
  EXPECT_EQ(state.routes.at("10.42.1.0/24"), "10.42.1.1");
  EXPECT_EQ(state.neighbours.at("10.42.1.1"), hardware_address("b"));
  EXPECT_EQ(state.tunnels.at(hardware_address("b")), "192.0.2.2");
  const auto direct = overlay_of(config_of("a", "10.42.0.0/24", Backend::host_gw), {b, c});
  EXPECT_EQ(direct.routes.at("10.42.2.0/24"), "192.0.2.3");
  EXPECT_TRUE(direct.tunnels.empty() && direct.neighbours.empty());
  EXPECT_TRUE(overlay_of(config_of("a", "10.42.0.0/24", Backend::none), {b, c}).routes.empty());
}

TEST(Overlay, hardware_addresses_follow_from_names) {
  EXPECT_EQ(hardware_address("node-1"), hardware_address("node-1"));
  std::set<std::string> seen;
  for (int i = 0; i < 5000; ++i) seen.insert(hardware_address(fmt::format("node-{}", i)));
  EXPECT_EQ(seen.size(), 5000u);
  EXPECT_EQ(seen.begin()->size(), 17u);
  EXPECT_EQ(seen.begin()->substr(0, 3), "0a:") << "unicast and locally administered";
}

TEST(PeerNode, is_read_from_the_node_object) {
  const auto node =
      PeerNode::decode(*json::parse(R"({"metadata":{"name":"b"},"spec":{"podCIDR":"10.42.1.0/24"},
    "status":{"addresses":[{"type":"Hostname","address":"b"},{"type":"InternalIP","address":"fd00::1"},
      {"type":"InternalIP","address":"192.0.2.2"},{"type":"InternalIP","address":"192.0.2.3"}],
      "conditions":[{"type":"Ready","status":"Unknown"}]}})"));
  EXPECT_EQ(node->pod_cidr, "10.42.1.0/24");
  EXPECT_EQ(node->address, "192.0.2.2");
  EXPECT_TRUE(node->lost);
  EXPECT_EQ(PeerNode::decode(*json::parse("{}"))->address, "");
}

// Machines on one switch, each a namespace with a bridge and one pod.
struct Machine {
  int number;
  std::string netns, pod, address;
  WireOptions wires;
  OverlayConfig overlay;

  Machine(int n, Backend backend)
      : number(n),
        netns(fmt::format("/run/machine-{}", n)),
        address(fmt::format("192.0.2.{}", n)),
        overlay(config_of(fmt::format("node-{}", n), fmt::format("10.42.{}.0/24", n), backend)) {
    wires.netns_dir = fmt::format("/run/pods-{}", n);
    wires.bridge = "kl0";
    wires.gateway = overlay.gateway;
    wires.service_cidr = "10.43.0.0/16";
    wires.mtu = overlay.mtu;
    pod = netns_path(wires, "pod");
    EXPECT_TRUE(make_netns(netns));
    const auto links = open_links();
    const auto fd = open_netns(netns);
    EXPECT_TRUE((*links)->make_veth(fmt::format("port{}", n), "switch", "eth0", fd->get(), 1500));
    run([&]() -> Result<void> {
      KL_TRY_FN(inside, open_links());
      KL_CHECK_FN(inside->add_address("eth0", address, 24));
      KL_CHECK_FN(inside->set_up("eth0"));
      KL_CHECK_FN(make_bridge(wires));
      return wire_pod(wires, "pod", ip());
    });
    testing::serve(pod, 80, fmt::format("pod-{}", n));
  }
  std::string ip() const { return fmt::format("10.42.{}.2", number); }
  Peer peer() const { return {overlay.node_name, overlay.pod_cidr, address}; }
  void run(const std::function<Result<void>()>& work) {
    const auto fd = open_netns(netns);
    const auto done = in_netns(fd->get(), work);
    EXPECT_TRUE(done) << done.error().message();
  }
  void apply(const std::vector<Peer>& peers) {
    run([&] { return apply_overlay(overlay, overlay_of(overlay, peers)); });
  }
  OverlayState state() {
    OverlayState state;
    run([&]() -> Result<void> {
      KL_TRY_FN(now, read_overlay(overlay));
      state = std::move(now);
      return {};
    });
    return state;
  }
  void move_to(const std::string& other) {
    run([&]() -> Result<void> {
      KL_TRY_FN(inside, open_links());
      KL_CHECK_FN(inside->remove_address("eth0", address, 24));
      return inside->add_address("eth0", other, 24);
    });
    address = other;
  }
};

void talk_over(Backend backend) {
  const auto links = open_links();
  ASSERT_TRUE((*links)->make_bridge("switch", 1500));
  ASSERT_TRUE((*links)->set_up("switch"));
  Machine a(1, backend), b(2, backend), c(3, backend);
  const auto everybody = [&] {
    const std::vector<Peer> peers{a.peer(), b.peer(), c.peer()};
    for (auto* machine : {&a, &b, &c}) {
      machine->apply(peers);
      machine->apply(peers);  // twice is fine
      EXPECT_EQ(machine->state(), overlay_of(machine->overlay, peers));
    }
  };
  a.apply({a.peer()});
  EXPECT_FALSE([&] {
    bool there = true;
    a.run([&]() -> Result<void> {
      KL_TRY_FN(inside, open_links());
      there = inside->exists("kl-vxlan");
      return {};
    });
    return there;
  }()) << "alone, it needs no device";
  everybody();
  EXPECT_EQ(testing::ask(a.pod, b.ip(), 80), "pod-2 10.42.1.2") << "the source address is kept";
  EXPECT_EQ(testing::ask(c.pod, a.ip(), 80), "pod-1 10.42.3.2");
  EXPECT_EQ(testing::ask(a.netns, c.ip(), 80), "pod-3 10.42.1.1") << "a host to another's pod";
  EXPECT_EQ(testing::ask(b.pod, "10.42.1.1", 80), "refused")
      << "a pod to another host: nobody listens there";

  b.move_to("192.0.2.77");
  everybody();
  EXPECT_EQ(testing::ask(a.pod, b.ip(), 80), "pod-2 10.42.1.2") << "found under its new address";
  EXPECT_EQ(testing::ask(b.pod, c.ip(), 80), "pod-3 10.42.2.2");

  a.apply({a.peer(), c.peer()});
  EXPECT_NE(testing::ask(a.pod, b.ip(), 80).substr(0, 3), "pod")
      << "a node that is gone has no way";
  EXPECT_EQ(testing::ask(a.pod, c.ip(), 80), "pod-3 10.42.1.2");
  a.run([&] { return remove_overlay(a.overlay); });
  a.run([&] { return remove_overlay(a.overlay); });
  EXPECT_EQ(a.state(), OverlayState());
}

TEST(OverlayInTheKernel, pods_of_three_machines_reach_each_other_by_vxlan) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] { talk_over(Backend::vxlan); });
}

TEST(OverlayInTheKernel, pods_of_three_machines_reach_each_other_by_plain_routes) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] { talk_over(Backend::host_gw); });
}

}  // namespace
}  // namespace kinglet::network
