#include "node/network/proxy_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/network/conntrack.h"
#include "node/network/nft_apply.h"
#include "node/network/own_network_test.h"
#include "node/network/pod_wires.h"

namespace kinglet::network {
namespace {
using ::testing::HasSubstr;

const ProxyConfig kConfig{.bridge = "kl0",
                          .pod_cidr = "10.42.0.0/24",
                          .cluster_cidr = "10.42.0.0/16",
                          .service_cidr = "10.43.0.0/16",
                          .cluster_dns = "10.43.0.10",
                          .node_name = "here"};

struct Cluster {
  std::map<std::string, ServiceModel> services;
  std::map<std::string, SliceModel> slices;

  ServiceModel& service(const std::string& name, const std::string& ip, uint16_t node_port = 0) {
    ServiceModel& service = services[name];
    service.ns = "default";
    service.name = name;
    service.cluster_ip = ip;
    service.ports = {{"http", "TCP", 80, node_port}};
    slices[name].ns = "default";
    slices[name].service = name;
    slices[name].ports = {{"http", "TCP", 8080}};
    return service;
  }
  EndpointModel& endpoint(const std::string& service, const std::string& ip,
                          const std::string& node = "here") {
    auto& all = slices[service].endpoints;
    all.push_back({{ip}, "", node});
    return all.back();
  }
  Ruleset rules() const {
    ServiceWorld world;
    for (const auto& [name, service] : services) world.services.push_back(&service);
    for (const auto& [name, slice] : slices)
      world.slices.emplace(std::pair(slice.ns, slice.service), &slice);
    return build_rules(kConfig, world);
  }
};

std::string chain_at(const Ruleset& rules, const char* map, const std::string& key) {
  const auto& elements = rules.elements.at(map);
  const auto found = elements.find(key);
  if (found == elements.end()) return "(none)";
  if (!found->second.starts_with("goto ")) return found->second;
  const auto chain = rules.chains.find(found->second.substr(5));
  return chain == rules.chains.end() ? found->second : chain->second;
}

TEST(ProxyRules, a_service_sends_to_its_ready_endpoints) {
  Cluster cluster;
  cluster.service("web", "10.43.0.5", 30080);
  const std::string key = "10.43.0.5 . tcp . 80";
  EXPECT_EQ(chain_at(cluster.rules(), "refused", key), "goto refuse");
  EXPECT_EQ(chain_at(cluster.rules(), "refused_nodeports", "tcp . 30080"), "goto refuse");
  cluster.endpoint("web", "10.42.0.3");
  EXPECT_THAT(chain_at(cluster.rules(), "services", key), HasSubstr("dnat to 10.42.0.3:8080"));
  cluster.endpoint("web", "10.42.0.2");
  cluster.endpoint("web", "10.42.0.4").ready = false;
  const Ruleset rules = cluster.rules();
  EXPECT_THAT(chain_at(rules, "services", key),
              HasSubstr("numgen random mod 2 map { 0 : 10.42.0.2 . 8080, 1 : 10.42.0.3 . 8080 }"));
  EXPECT_EQ(chain_at(rules, "refused", key), "(none)");
  EXPECT_THAT(chain_at(rules, "nodeports", "tcp . 30080"), HasSubstr("0x4000"));
  EXPECT_EQ(rules.elements.at("hairpin").size(), 2u);
}

TEST(ProxyRules, host_ports_lead_to_the_pod_unless_a_service_has_the_port) {
  Cluster cluster;
  cluster.service("web", "10.43.0.5", 30080);
  cluster.endpoint("web", "10.42.0.2");
  ServiceWorld world;
  world.services.push_back(&cluster.services["web"]);
  world.slices.emplace(std::pair("default", "web"), &cluster.slices["web"]);
  world.host_ports = {{"", "TCP", 8080, "10.42.0.7", 80},
                      {"192.0.2.1", "UDP", 53, "10.42.0.7", 5353},
                      {"", "TCP", 30080, "10.42.0.7", 80}};
  const Ruleset rules = build_rules(kConfig, world);
  EXPECT_THAT(chain_at(rules, "nodeports", "tcp . 8080"), HasSubstr("dnat to 10.42.0.7:80"));
  EXPECT_THAT(chain_at(rules, "services", "192.0.2.1 . udp . 53"),
              HasSubstr("udp dnat to 10.42.0.7:5353"));
  EXPECT_THAT(chain_at(rules, "nodeports", "tcp . 30080"), HasSubstr("0x4000")) << "the Service's";
  EXPECT_TRUE(rules.elements.at("hairpin").contains("10.42.0.7 . 10.42.0.7"));
  EXPECT_EQ(rules.udp.at("192.0.2.1 53"), std::set<std::string>{"10.42.0.7"});
}

TEST(ProxyRules, terminating_endpoints_serve_when_there_is_no_other) {
  Cluster cluster;
  cluster.service("web", "10.43.0.5");
  auto& last = cluster.endpoint("web", "10.42.0.3");
  last.ready = false;
  last.terminating = true;
  EXPECT_THAT(chain_at(cluster.rules(), "services", "10.43.0.5 . tcp . 80"),
              HasSubstr("10.42.0.3"));
  last.serving = false;
  EXPECT_EQ(chain_at(cluster.rules(), "services", "10.43.0.5 . tcp . 80"), "(none)");
}

TEST(ProxyRules, traffic_policies_keep_to_this_node) {
  Cluster cluster;
  auto& web = cluster.service("web", "10.43.0.5", 30080);
  web.external_local = web.internal_local = true;
  cluster.endpoint("web", "10.42.1.9", "elsewhere");
  Ruleset rules = cluster.rules();
  EXPECT_EQ(chain_at(rules, "refused", "10.43.0.5 . tcp . 80"), "drop");
  EXPECT_EQ(chain_at(rules, "refused_nodeports", "tcp . 30080"), "drop");
  EXPECT_THAT(chain_at(rules, "nodeports", "tcp . 30080"),
              HasSubstr("ip saddr 10.42.0.0/16 goto svc-"))
      << "pods go to any endpoint";
  cluster.endpoint("web", "10.42.0.3");
  rules = cluster.rules();
  EXPECT_THAT(chain_at(rules, "services", "10.43.0.5 . tcp . 80"),
              HasSubstr("dnat to 10.42.0.3:8080"));
  EXPECT_EQ(chain_at(rules, "refused_nodeports", "tcp . 30080"), "(none)");
}

TEST(ProxyRules, headless_services_and_our_own_dns_have_no_rules) {
  Cluster cluster;
  cluster.service("none", "None");
  cluster.service("kube-dns", "10.43.0.10");
  cluster.service("v6", "");
  EXPECT_EQ(cluster.rules(), build_rules(kConfig, ServiceWorld{}));
}

TEST(ProxyRules, no_change_is_no_text_and_a_small_change_is_a_small_text) {
  Cluster cluster;
  for (int i = 0; i < 500; ++i) {
    const std::string name = fmt::format("s{}", i);
    cluster.service(name, fmt::format("10.43.{}.{}", 1 + i / 200, 1 + i % 200));
    cluster.endpoint(name, "10.42.0.3");
  }
  const Ruleset before = cluster.rules();
  EXPECT_EQ(change_text(before, cluster.rules()), "");
  cluster.endpoint("s7", "10.42.0.4");
  const std::string text = change_text(before, cluster.rules());
  EXPECT_LT(text.size(), 1000u) << text;
  EXPECT_THAT(text, HasSubstr("flush chain"));
}

TEST(ProxyRules, udp_endpoints_that_went_are_known) {
  Cluster cluster;
  auto& dns = cluster.service("dns", "10.43.0.5", 30053);
  dns.ports = {{"dns", "UDP", 53, 30053}};
  cluster.slices["dns"].ports = {{"dns", "UDP", 53}};
  const Ruleset none = cluster.rules();
  cluster.endpoint("dns", "10.42.0.3");
  const Ruleset one = cluster.rules();
  EXPECT_TRUE(changed_udp(one.udp, one.udp).empty());
  const auto appeared = changed_udp(none.udp, one.udp);
  EXPECT_TRUE(is_stale({"10.43.0.5", 53, "10.43.0.5"}, appeared)) << "it went nowhere";
  EXPECT_FALSE(is_stale({"10.43.0.5", 53, "10.42.0.3"}, appeared));
  EXPECT_FALSE(is_stale({"10.43.0.5", 54, "10.43.0.5"}, appeared));
  EXPECT_TRUE(is_stale({"192.168.0.7", 30053, "10.42.0.9"}, appeared));
  EXPECT_FALSE(is_stale({"192.168.0.7", 30053, "10.42.0.3"}, appeared));
  EXPECT_TRUE(is_stale({"10.43.0.5", 53, "10.42.0.3"}, changed_udp(one.udp, {})));
}

const WireOptions kWires{.netns_dir = "/run/kinglet/netns",
                         .bridge = "kl0",
                         .gateway = "10.42.0.1",
                         .prefix = 24,
                         .service_cidr = "10.43.0.0/16",
                         .cluster_dns = "10.43.0.10"};

// Applies it as a change and then checks that from nothing the same rules are accepted too.
void apply(const Ruleset& before, const Ruleset& after) {
  const auto changed = nft_apply(change_text(before, after));
  EXPECT_TRUE(changed) << changed.error().message();
}

TEST(ProxyInTheKernel, services_answer_from_pods_host_and_loopback) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    ASSERT_TRUE(make_bridge(kWires));
    ASSERT_TRUE(wire_pod(kWires, "a", "10.42.0.2"));
    ASSERT_TRUE(wire_pod(kWires, "b", "10.42.0.3"));
    const std::string a = netns_path(kWires, "a"), b = netns_path(kWires, "b");
    testing::serve(a, 8080, "a");
    testing::serve(b, 8080, "b");
    Cluster cluster;
    cluster.service("only-a", "10.43.0.5", 30080);
    cluster.endpoint("only-a", "10.42.0.2");
    cluster.service("both", "10.43.0.6");
    cluster.endpoint("both", "10.42.0.2");
    cluster.endpoint("both", "10.42.0.3");
    cluster.service("nobody", "10.43.0.7", 30081);
    Ruleset rules = cluster.rules();
    const auto applied = nft_apply(full_text(kConfig, rules));
    ASSERT_TRUE(applied) << applied.error().message();
    ASSERT_TRUE(nft_apply(full_text(kConfig, rules))) << "twice is fine";

    EXPECT_EQ(testing::ask(b, "10.43.0.5", 80), "a 10.42.0.3") << "the client's address is kept";
    EXPECT_EQ(testing::ask(a, "10.43.0.5", 80), "a 10.42.0.1") << "hairpin is masqueraded";
    EXPECT_EQ(testing::ask("", "10.43.0.5", 80), "a 10.42.0.1");
    EXPECT_EQ(testing::ask("", "10.42.0.1", 30080), "a 10.42.0.1");
    EXPECT_EQ(testing::ask("", "127.0.0.1", 30080), "a 10.42.0.1");
    EXPECT_EQ(testing::ask(b, "10.42.0.1", 30080), "a 10.42.0.3");
    EXPECT_EQ(testing::ask(b, "10.43.0.7", 80), "refused");
    EXPECT_EQ(testing::ask("", "10.43.0.7", 80), "refused");
    EXPECT_EQ(testing::ask(b, "10.42.0.1", 30081), "refused");
    EXPECT_EQ(testing::ask(b, "10.43.99.99", 80), "refused") << "no such Service";
    std::set<std::string> seen;
    for (int i = 0; i < 40; ++i) seen.insert(testing::ask("", "10.43.0.6", 80).substr(0, 1));
    EXPECT_EQ(seen.size(), 2u);

    // Changes, one after the other, in the running table.
    Ruleset before = rules;
    cluster.endpoint("nobody", "10.42.0.3");
    cluster.services["both"].affinity_seconds = 60;
    apply(before, rules = cluster.rules());
    EXPECT_EQ(testing::ask(a, "10.43.0.7", 80), "b 10.42.0.2");
    const std::string first = testing::ask("", "10.43.0.6", 80);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(testing::ask("", "10.43.0.6", 80), first) << "sticky";
    before = rules;
    cluster.services["both"].affinity_seconds = 90;
    cluster.services.erase("only-a");
    cluster.slices["nobody"].endpoints.clear();
    apply(before, rules = cluster.rules());
    EXPECT_EQ(testing::ask(b, "10.43.0.5", 80), "refused");
    EXPECT_EQ(testing::ask(b, "10.43.0.7", 80), "refused");
    before = rules;
    cluster.services.clear();
    apply(before, rules = cluster.rules());
    EXPECT_EQ(testing::ask(b, "10.43.0.6", 80), "refused");
    EXPECT_TRUE(delete_stale_flows({{"10.43.0.6 53", {}}}));
    EXPECT_TRUE(nft_apply(removal_text()));
    EXPECT_FALSE(nft_apply("this is not nft"));
  });
}

TEST(ProxyInTheKernel, any_policy_and_address_is_accepted_by_nft) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    Ruleset before;
    Cluster cluster;
    ASSERT_TRUE(nft_apply(full_text(kConfig, before = cluster.rules())));
    int ip = 20;
    for (const bool local : {false, true})
      for (const int sticky : {0, 100})
        for (const int endpoints : {0, 1, 3})
          for (const char* protocol : {"TCP", "UDP", "SCTP"}) {
            const std::string name =
                fmt::format("a-rather-long-name-of-a-service-that-is-cut-somewhere-{}", ip);
            auto& s = cluster.service(name, fmt::format("10.43.0.{}", ip),
                                      static_cast<uint16_t>(30000 + ip));
            s.ns = "a-namespace-with-a-name-of-the-greatest-possible-length-really";
            cluster.slices[name].ns = s.ns;
            s.external_local = s.internal_local = local;
            s.affinity_seconds = sticky;
            s.ports[0].protocol = cluster.slices[name].ports[0].protocol = protocol;
            s.external_ips = {fmt::format("192.0.2.{}", ip)};
            s.load_balancer_ips = {fmt::format("198.51.100.{}", ip)};
            s.source_ranges = {"203.0.113.0/24", "192.0.2.1/32"};
            for (int i = 0; i < endpoints; ++i)
              cluster.endpoint(name, fmt::format("10.42.0.{}", 2 + i),
                               i == 1 ? "elsewhere" : "here");
            ++ip;
            const Ruleset after = cluster.rules();
            apply(before, after);
            before = after;
          }
    const auto full = nft_apply(full_text(kConfig, before));
    EXPECT_TRUE(full) << full.error().message();
    apply(before, Cluster().rules());
  });
}

}  // namespace
}  // namespace kinglet::network
