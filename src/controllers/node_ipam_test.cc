#include <gtest/gtest.h>

#include "client/testing/world.h"
#include "controllers/internal/cidr_pool.h"
#include "controllers/internal/kinds.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {

TEST(CidrPool, gives_each_node_its_own_and_the_same_one_again) {
  auto pool = *CidrPool::make("10.42.0.0/22", 24);
  EXPECT_EQ(pool.size(), 4u);
  EXPECT_EQ(pool.allot("a"), "10.42.0.0/24");
  EXPECT_EQ(pool.allot("b"), "10.42.1.0/24");
  EXPECT_EQ(pool.allot("a"), "10.42.0.0/24") << "asked twice";
  pool.release("a");
  EXPECT_EQ(pool.allot("c"), "10.42.2.0/24") << "a freed network rests";
  EXPECT_EQ(pool.allot("a"), "10.42.0.0/24") << "back under its name";
  pool.release("a");
  EXPECT_EQ(pool.allot("d"), "10.42.3.0/24");
  EXPECT_EQ(pool.allot("e"), "10.42.0.0/24") << "the last one, though it is kept for another";
  EXPECT_EQ(pool.allot("a"), std::nullopt);
  pool.release("b");
  EXPECT_EQ(pool.allot("a"), "10.42.1.0/24");
}

TEST(CidrPool, respects_what_nodes_have_and_prefer) {
  auto pool = *CidrPool::make("10.42.0.0/16", 24);
  pool.prefer("server", "10.42.0.0/24");
  EXPECT_EQ(pool.allot("early"), "10.42.1.0/24");
  EXPECT_EQ(pool.allot("server"), "10.42.0.0/24");
  struct Case {
    const char* node;
    const char* cidr;
    bool taken;
  };
  const Case cases[] = {
      {"x", "10.42.7.0/24", true},   {"x", "10.42.7.0/24", true},  {"y", "10.42.7.0/24", false},
      {"y", "10.43.0.0/24", false},  {"y", "10.41.0.0/24", false}, {"y", "10.42.8.0/25", false},
      {"y", "10.42.8.1/24", false},  {"y", "rubbish", false},      {"y", "fd00::/64", false},
      {"y", "10.42.255.0/24", true},
  };
  for (const auto& c : cases) EXPECT_EQ(pool.take(c.node, c.cidr), c.taken) << c.cidr;
  EXPECT_EQ(pool.allot("z"), "10.42.2.0/24") << "after the last comes the first that is free";
}

TEST(CidrPool, refuses_what_cannot_be_divided) {
  for (const char* bad : {"10.42.0.0/25", "10.42.0.1/16", "10.0.0.0/4", "", "x", "fd00::/48"})
    EXPECT_FALSE(CidrPool::make(bad, 24)) << bad;
}

struct IpamWorld : client::testing::World {
  Options options;
  RunnerPtr runner;
  explicit IpamWorld(std::string cluster) {
    options.cluster_cidr = std::move(cluster);
    options.own_node = "server";
    options.own_node_cidr = "10.42.0.0/24";
    runner = make_node_ipam({api, *clock, *random, *metrics, informers, events, options});
  }
  ~IpamWorld() { stop(); }
  void run() {
    start("informers", informers.run());
    start("events", events.run());
    start("ipam", runner->run());
    run_for(1s);
  }
  void put(const std::string& name, const std::string& cidr = "") {
    const auto made =
        api.put(Node::resource(), "{kind: Node, apiVersion: v1, metadata: {name: " + name +
                                      "}, spec: {podCIDR: '" + cidr + "'}}");
    ASSERT_TRUE(made) << made.error().message();
  }
  std::string cidr(const std::string& name) const {
    const auto node = api.read(Node::resource(), "", name);
    return std::string(json::text_at(node, {"spec", "podCIDR"}));
  }
};

TEST(NodeIpam, allots_what_is_missing_and_leaves_what_is_there) {
  IpamWorld world("10.42.0.0/22");
  world.put("has", "10.42.1.0/24");
  world.put("first");
  world.put("server");
  world.run();
  EXPECT_EQ(world.cidr("has"), "10.42.1.0/24");
  EXPECT_EQ(world.cidr("server"), "10.42.0.0/24") << "whatever the order";
  EXPECT_EQ(world.cidr("first"), "10.42.2.0/24");
  world.put("last");
  world.put("one-too-many");
  world.run_for(1s);
  EXPECT_EQ(world.cidr("last"), "10.42.3.0/24");
  EXPECT_EQ(world.cidr("one-too-many"), "");
  world.api.erase(Node::resource(), "", "first");
  world.run_for(1s);
  EXPECT_EQ(world.cidr("one-too-many"), "10.42.2.0/24") << "as soon as one is free";
}

}  // namespace
}  // namespace kinglet::controllers
