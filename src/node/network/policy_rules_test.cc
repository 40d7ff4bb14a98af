#include "node/network/policy_rules.h"

#include <gtest/gtest.h>

#include "node/network/nft_apply.h"
#include "node/network/own_network_test.h"
#include "node/network/pod_wires.h"

namespace kinglet::network {
namespace {

struct PolicyCluster {
  std::vector<std::shared_ptr<PolicyObject>> policies;
  std::vector<std::shared_ptr<PolicyPod>> pods;
  std::vector<std::shared_ptr<PolicyNamespace>> namespaces;

  template <class T>
  static std::shared_ptr<T> made(const std::string& yaml) {
    const auto value = json::parse_yaml(yaml);
    KL_ASSERT(value, "{}", yaml);
    auto object = T::decode(*value);
    object->meta = client::decode_meta(*value);
    return object;
  }
  PolicyCluster() {
    for (const char* name : {"shop", "bank"})
      namespaces.push_back(made<PolicyNamespace>(fmt::format(
          "metadata: {{name: {0}, labels: {{kubernetes.io/metadata.name: {0}}}}}", name)));
    pod("shop", "web", "10.42.0.2");
    pod("shop", "db", "10.42.0.3");
    pod("bank", "web", "10.42.0.4");
    pod("shop", "web", "10.42.9.2", "elsewhere");
  }
  void pod(const std::string& ns, const std::string& app, const std::string& ip,
           const std::string& node = "here") {
    pods.push_back(made<PolicyPod>(fmt::format(
        "metadata: {{name: {1}-{2}, namespace: {0}, uid: u-{2}, labels: {{app: {1}}}}}\n"
        "spec: {{nodeName: {3}, containers: [{{ports: [{{name: sql, containerPort: 80, protocol: "
        "TCP}}]}}]}}\n"
        "status: {{podIP: {2}, phase: Running}}",
        ns, app, ip, node)));
  }
  void policy(const std::string& spec, const std::string& name = "p",
              const std::string& ns = "shop") {
    policies.push_back(made<PolicyObject>(
        fmt::format("metadata: {{name: {}, namespace: {}}}\nspec: {}", name, ns, spec)));
  }
  Ruleset rules() const {
    PolicyWorld world;
    world.node_name = "here";
    for (const auto& p : policies) world.policies.push_back(p.get());
    for (const auto& p : pods) world.pods.push_back(p.get());
    for (const auto& n : namespaces) world.namespaces.push_back(n.get());
    return build_policy_rules(world);
  }
  // The chain of a pod in a direction, sets spelled out; "open": none.
  std::string chain(const std::string& direction, const std::string& ip) const {
    const Ruleset rules = this->rules();
    const auto found = rules.elements.at(direction).find(ip);
    if (found == rules.elements.at(direction).end()) return "open";
    std::string text = rules.chains.at(found->second.substr(5));
    for (const auto& [name, definition] : rules.sets) {
      std::string members;
      for (const auto& [member, verdict] : rules.elements.at(name))
        members += (members.empty() ? "" : ",") + member;
      for (size_t at; (at = text.find("@" + name)) != std::string::npos;)
        text.replace(at, name.size() + 1, "{" + members + "}");
    }
    return text;
  }
};

TEST(PolicyRules, isolate_the_selected_pods_of_this_node_alone) {
  PolicyCluster c;
  EXPECT_EQ(c.chain("ingress", "10.42.0.3"), "open");
  c.policy("{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]}");
  EXPECT_EQ(c.chain("ingress", "10.42.0.3"), "drop\n");
  EXPECT_EQ(c.chain("egress", "10.42.0.3"), "open");
  EXPECT_EQ(c.chain("ingress", "10.42.0.2"), "open") << "not selected";
  EXPECT_EQ(c.chain("ingress", "10.42.0.4"), "open") << "another namespace";
  EXPECT_EQ(c.chain("ingress", "10.42.9.2"), "open") << "another node's affair";
  EXPECT_TRUE(c.rules().elements.at("self").contains("10.42.0.3 . 10.42.0.3"));
}

TEST(PolicyRules, allow_what_the_policies_say) {
  const std::string all = "podSelector: {}";
  struct Case {
    const char* name;
    std::string spec, direction, chain;
  };
  const Case cases[] = {
      {"everybody", "{" + all + ", ingress: [{}]}", "ingress", "accept\ndrop\n"},
      {"default types: no egress", "{" + all + ", ingress: [{}]}", "egress", "open"},
      {"default types: with egress", "{" + all + ", egress: [{ports: [{port: 1}]}]}", "egress",
       "meta l4proto tcp th dport 1 accept\ndrop\n"},
      {"pods of the own namespace",
       "{" + all + ", ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}", "ingress",
       "ip saddr {10.42.0.2,10.42.9.2} accept\ndrop\n"},
      {"all pods of a namespace",
       "{" + all +
           ", ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
           "bank}}}]}]}",
       "ingress", "ip saddr {10.42.0.4} accept\ndrop\n"},
      {"some pods of all namespaces",
       "{" + all +
           ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: "
           "web}}}]}]}",
       "ingress", "ip saddr {10.42.0.2,10.42.0.4,10.42.9.2} accept\ndrop\n"},
      {"a block",
       "{" + all +
           ", ingress: [{from: [{ipBlock: {cidr: 192.0.2.7/24, except: [192.0.2.8/32]}}]}]}",
       "ingress", "ip saddr 192.0.2.0/24 ip saddr != 192.0.2.8/32 accept\ndrop\n"},
      {"everything but",
       "{" + all + ", egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]}]}",
       "egress", "ip daddr != 10.0.0.0/8 accept\ndrop\n"},
      {"an IPv6 block", "{" + all + ", ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}",
       "ingress", "drop\n"},
      {"a peer of no kind", "{" + all + ", ingress: [{from: [{}]}]}", "ingress", "drop\n"},
      {"ports",
       "{" + all +
           ", ingress: [{ports: [{port: 80}, {port: 5000, endPort: 5010, protocol: UDP}, "
           "{protocol: SCTP}]}]}",
       "ingress",
       "meta l4proto tcp th dport 80 accept\nmeta l4proto udp th dport 5000-5010 accept\nmeta "
       "l4proto sctp accept\ndrop\n"},
      {"unknown protocols allow nothing", "{" + all + ", ingress: [{ports: [{protocol: x}]}]}",
       "ingress", "drop\n"},
      {"a named port",
       "{" + all +
           ", egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: sql}]}]}",
       "egress",
       "ip daddr {10.42.0.3} ip daddr . meta l4proto . th dport "
       "{10.42.0.2 . tcp . 80,10.42.0.3 . tcp . 80,10.42.0.4 . tcp . 80,10.42.9.2 . tcp . 80} "
       "accept\ndrop\n"},
  };
  for (const auto& test : cases) {
    PolicyCluster c;
    c.policy(test.spec);
    EXPECT_EQ(c.chain(test.direction, "10.42.0.3"), test.chain) << test.name;
  }
}

TEST(PolicyRules, policies_add_up_and_share_chains) {
  PolicyCluster c;
  c.policy("{podSelector: {}, policyTypes: [Ingress]}", "deny");
  c.policy("{podSelector: {}, ingress: [{ports: [{port: 80}]}]}", "web");
  EXPECT_EQ(c.chain("ingress", "10.42.0.2"), "meta l4proto tcp th dport 80 accept\ndrop\n");
  const Ruleset rules = c.rules();
  EXPECT_EQ(rules.elements.at("ingress").at("10.42.0.2"),
            rules.elements.at("ingress").at("10.42.0.3"));
  EXPECT_EQ(rules.chains.size(), 1u);
}

TEST(PolicyRules, pods_that_ended_or_live_in_the_host_network_are_left_out) {
  PolicyCluster c;
  c.policy("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}");
  c.pods[1]->ended = true;
  c.pods[0]->in_host_network = true;
  EXPECT_EQ(c.chain("ingress", "10.42.0.2"), "open");
  EXPECT_EQ(c.chain("ingress", "10.42.0.3"), "open");
  EXPECT_TRUE(c.rules().elements.at("ingress").empty());
}

TEST(PolicyInTheKernel, packets_obey) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    WireOptions wires{.netns_dir = "/run/pods",
                      .bridge = "kl0",
                      .gateway = "10.42.0.1",
                      .prefix = 24,
                      .service_cidr = "10.43.0.0/16"};
    ASSERT_TRUE(make_bridge(wires));
    const auto netns = [&](const char* uid) { return netns_path(wires, uid); };
    for (const auto& [uid, ip] : {std::pair("web", "10.42.0.2"), std::pair("db", "10.42.0.3"),
                                  std::pair("other", "10.42.0.4")}) {
      ASSERT_TRUE(wire_pod(wires, uid, ip));
      testing::serve(netns(uid), 80, uid);
      testing::serve(netns(uid), 81, uid);
    }
    testing::serve("", 82, "host");
    PolicyCluster c;
    Ruleset before;
    ASSERT_TRUE(nft_apply(policy_full_text(before = c.rules())));
    const auto apply = [&] {
      const Ruleset after = c.rules();
      const auto done = nft_apply(policy_change_text(before, after));
      EXPECT_TRUE(done) << done.error().message() << policy_change_text(before, after);
      const auto full = nft_apply(policy_full_text(after));
      EXPECT_TRUE(full) << full.error().message();
      before = after;
    };
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.3", 80), "db 10.42.0.2");
    c.policy(
        "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: "
        "{app: web}}}], ports: [{port: sql}]}]}");
    apply();
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.3", 80), "db 10.42.0.2");
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.3", 81), "silence") << "another port";
    EXPECT_EQ(testing::ask(netns("other"), "10.42.0.3", 80), "silence") << "another pod";
    EXPECT_EQ(testing::ask("", "10.42.0.3", 81), "db 10.42.0.1")
        << "the node itself is never kept out";
    EXPECT_EQ(testing::ask(netns("db"), "10.42.0.2", 80), "web 10.42.0.3")
        << "it may still ask others";
    EXPECT_EQ(testing::ask(netns("db"), "10.42.0.3", 81), "db 10.42.0.3") << "and itself";
    c.policy(
        "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{ipBlock: "
        "{cidr: 10.42.0.4/32}}]}]}",
        "out");
    apply();
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.3", 80), "silence") << "allowed in, not out";
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.4", 80), "other 10.42.0.2");
    EXPECT_EQ(testing::ask(netns("other"), "10.42.0.2", 80), "web 10.42.0.4") << "answers go out";
    EXPECT_EQ(testing::ask(netns("web"), "10.42.0.1", 82), "host 10.42.0.2") << "its own node";
    c.policies.clear();
    apply();
    EXPECT_EQ(testing::ask(netns("other"), "10.42.0.3", 81), "db 10.42.0.4");
    EXPECT_TRUE(nft_apply(policy_removal_text()));
    EXPECT_TRUE(nft_apply(policy_removal_text()));
  });
}

}  // namespace
}  // namespace kinglet::network
