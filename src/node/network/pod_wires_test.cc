#include "node/network/pod_wires.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "node/network/ipam.h"
#include "node/network/links.h"
#include "node/network/netns.h"
#include "node/network/own_network_test.h"

namespace kinglet::network {
namespace {

const WireOptions kOptions{.netns_dir = "/run/kinglet/netns",
                           .bridge = "kl0",
                           .gateway = "10.42.0.1",
                           .prefix = 24,
                           .service_cidr = "10.43.0.0/16",
                           .cluster_dns = "10.43.0.10"};

TEST(PodWires, pods_reach_the_host_each_other_and_dns_without_any_cable) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    const auto made = make_bridge(kOptions);
    ASSERT_TRUE(made) << made.error().message();
    ASSERT_TRUE(make_bridge(kOptions)) << "twice is fine";
    const auto a = wire_pod(kOptions, "uid-a", "10.42.0.2");
    ASSERT_TRUE(a) << a.error().message();
    ASSERT_TRUE(wire_pod(kOptions, "uid-a", "10.42.0.2")) << "twice is fine";
    ASSERT_TRUE(wire_pod(kOptions, "uid-b", "10.42.0.3"));
    EXPECT_EQ(*find_pods(kOptions),
              (std::map<std::string, std::string>{{"uid-a", "10.42.0.2"}, {"uid-b", "10.42.0.3"}}));
    const std::string a_ns = netns_path(kOptions, "uid-a"), b_ns = netns_path(kOptions, "uid-b");
    testing::serve(a_ns, 80, "a");
    testing::serve(b_ns, 80, "b");
    testing::serve("", 53, "host");
    EXPECT_EQ(testing::ask(a_ns, "10.42.0.3", 80), "b 10.42.0.2") << "the source address is kept";
    EXPECT_EQ(testing::ask(a_ns, "10.42.0.2", 80), "a 10.42.0.2");
    EXPECT_EQ(testing::ask(a_ns, "127.0.0.1", 80), "a 127.0.0.1");
    EXPECT_EQ(testing::ask(a_ns, "10.42.0.1", 53), "host 10.42.0.2");
    EXPECT_EQ(testing::ask(a_ns, "10.43.0.10", 53), "host 10.42.0.2");
    EXPECT_EQ(testing::ask("", "10.42.0.3", 80), "b 10.42.0.1");
    ASSERT_TRUE(unwire_pod(kOptions, "uid-a"));
    ASSERT_TRUE(unwire_pod(kOptions, "uid-a")) << "twice is fine";
    EXPECT_EQ(find_pods(kOptions)->size(), 1u);
    ASSERT_TRUE(remove_all_wires(kOptions));
    ASSERT_TRUE(remove_all_wires(kOptions));
    const auto links = open_links();
    EXPECT_EQ(*(*links)->names(), (std::vector<std::string>{"lo"}));
  });
}

TEST(PodWires, what_a_crash_left_half_made_is_removed_or_finished) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    ASSERT_TRUE(make_bridge(kOptions));
    std::ofstream(netns_path(kOptions, "before-reboot")) << "";
    ASSERT_TRUE(make_netns(netns_path(kOptions, "empty")));
    EXPECT_TRUE(find_pods(kOptions)->empty());
    ASSERT_TRUE(make_netns(netns_path(kOptions, "again")));
    ASSERT_TRUE(wire_pod(kOptions, "again", "10.42.0.9"));
    EXPECT_EQ(find_pods(kOptions)->at("again"), "10.42.0.9");
  });
}

TEST(Ipam, hands_out_addresses_in_turn_and_remembers_adopted_ones) {
  auto ipam = Ipam::make("10.42.3.0/29");
  ASSERT_TRUE(ipam);
  EXPECT_EQ(ipam->gateway(), "10.42.3.1");
  EXPECT_TRUE(ipam->adopt("old", "10.42.3.3"));
  EXPECT_FALSE(ipam->adopt("thief", "10.42.3.3"));
  EXPECT_FALSE(ipam->adopt("stranger", "10.42.4.2"));
  EXPECT_FALSE(ipam->adopt("gateway", "10.42.3.1"));
  EXPECT_EQ(*ipam->allocate("old"), "10.42.3.3");
  EXPECT_EQ(*ipam->allocate("a"), "10.42.3.4");
  ipam->release("a");
  EXPECT_EQ(*ipam->allocate("b"), "10.42.3.5") << "a freed address rests";
  EXPECT_EQ(*ipam->allocate("c"), "10.42.3.6");
  EXPECT_EQ(*ipam->allocate("d"), "10.42.3.2");
  EXPECT_EQ(*ipam->allocate("e"), "10.42.3.4");
  EXPECT_TRUE(ipam->allocate("f").is(Code::unavailable));
  ipam->release("c");
  ipam->release("c");
  EXPECT_EQ(*ipam->allocate("f"), "10.42.3.6");
  for (const char* bad : {"", "10.42.0.0", "10.42.0.0/31", "10.0.0.0/4", "fd00::/64", "x/24"})
    EXPECT_FALSE(Ipam::make(bad)) << bad;
}

}  // namespace
}  // namespace kinglet::network
