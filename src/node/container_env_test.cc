#include "node/container_env.h"

#include <gtest/gtest.h>

#include "node/container_build.h"
#include "node/pod_files.h"
#include "node/pod_resources.h"
#include "node/probe.h"
#include "schema/structs.h"

namespace kinglet::node {
namespace {

class Config final : public ConfigSource {
 public:
  Config() {
    map.data = {{"greeting", "hello"}, {"other", "x"}};
    hidden.data = {{"password", "s3cret"}};
  }
  const api::ConfigMap* config_map(const std::string& name) const override { return name == "cm" ? &map : nullptr; }
  const api::Secret* secret(const std::string& name) const override { return name == "sec" ? &hidden : nullptr; }
  api::ConfigMap map;
  api::Secret hidden;
};

api::Pod pod_with(const std::string& container, const std::string& more = "") {
  auto pod = schema::parse<api::Pod>(fmt::format(
      R"({{"metadata":{{"name":"p","namespace":"ns","uid":"u1","labels":{{"app":"web"}}}},
          "spec":{{"nodeName":"n1",{}"containers":[{}]}}}})",
      more, container));
  EXPECT_TRUE(pod) << (pod ? "" : pod.error().message());
  return *pod;
}

Result<std::vector<std::string>> env_of(const std::string& env, const std::vector<const api::Service*>& services = {}) {
  static const Config config;
  const auto pod = pod_with(fmt::format(R"({{"name":"c","image":"i",{}}})", env));
  return container_env({pod, pod.spec.containers[0], config, services, "10.42.0.5", "10.0.0.1", 2000, 1 << 30});
}

TEST(ContainerEnv, takes_values_from_every_source) {
  struct Case {
    const char* name;
    const char* env;
    std::vector<std::string> want;
  };
  const Case cases[] = {
      {"plain", R"("env":[{"name":"A","value":"1"}])", {"A=1"}},
      {"references", R"x("env":[{"name":"A","value":"1"},{"name":"B","value":"$(A)-$(NO)-$$(A)"}])x",
       {"A=1", "B=1-$(NO)-$(A)"}},
      {"config map key", R"("env":[{"name":"G","valueFrom":{"configMapKeyRef":{"name":"cm","key":"greeting"}}}])",
       {"G=hello"}},
      {"secret key", R"("env":[{"name":"P","valueFrom":{"secretKeyRef":{"name":"sec","key":"password"}}}])",
       {"P=s3cret"}},
      {"optional and missing",
       R"("env":[{"name":"P","valueFrom":{"secretKeyRef":{"name":"no","key":"k","optional":true}}}])", {}},
      {"fields", R"("env":[{"name":"N","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
                           {"name":"I","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
                           {"name":"L","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}}])",
       {"N=p", "I=10.42.0.5", "L=web"}},
      {"resources", R"("resources":{"limits":{"cpu":"1500m"}},
                       "env":[{"name":"C","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},
                              {"name":"M","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}])",
       {"C=2", "M=1024"}},
      {"a whole config map with a prefix", R"("envFrom":[{"prefix":"X_","configMapRef":{"name":"cm"}}])",
       {"X_greeting=hello", "X_other=x"}},
      {"env wins over envFrom",
       R"("envFrom":[{"configMapRef":{"name":"cm"}}],"env":[{"name":"other","value":"mine"}])",
       {"greeting=hello", "other=mine"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto env = env_of(c.env);
    ASSERT_TRUE(env) << env.error().message();
    EXPECT_EQ(*env, c.want);
  }
}

TEST(ContainerEnv, says_what_is_missing_in_the_words_people_search_for) {
  struct Case {
    const char* env;
    const char* message;
  };
  const Case cases[] = {
      {R"("env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"no","key":"k"}}}])", "configmap \"no\" not found"},
      {R"("env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"cm","key":"k"}}}])",
       "couldn't find key k in ConfigMap ns/cm"},
      {R"("envFrom":[{"secretRef":{"name":"no"}}])", "secret \"no\" not found"},
  };
  for (const auto& c : cases) {
    const auto env = env_of(c.env);
    ASSERT_FALSE(env);
    EXPECT_EQ(env.error().message(), c.message);
  }
}

TEST(ContainerEnv, names_the_services_of_the_namespace) {
  api::Service service;
  service.metadata.name = "my-db";
  service.metadata.namespace_ = "ns";
  service.spec.clusterIP = "10.43.0.9";
  service.spec.ports.emplace_back();
  service.spec.ports[0].port = 5432;
  service.spec.ports[0].protocol = "TCP";
  api::Service foreign = service;
  foreign.metadata.namespace_ = "elsewhere";
  foreign.metadata.name = "not-mine";
  const auto env = env_of(R"("tty":false)", {&service, &foreign});
  ASSERT_TRUE(env);
  EXPECT_EQ(env->front(), "MY_DB_SERVICE_HOST=10.43.0.9");
  for (const auto& line : *env) EXPECT_EQ(line.rfind("MY_DB_", 0), 0u) << line;
}

TEST(PodResources, quality_of_service_decides_the_cgroup) {
  struct Case {
    const char* resources;
    Qos qos;
    const char* parent;
  };
  const Case cases[] = {
      {"{}", Qos::best_effort, "/kubepods/besteffort/podu1"},
      {R"({"requests":{"cpu":"100m"}})", Qos::burstable, "/kubepods/burstable/podu1"},
      {R"({"requests":{"cpu":"1","memory":"1Gi"},"limits":{"cpu":"1","memory":"1Gi"}})", Qos::guaranteed,
       "/kubepods/podu1"},
      {R"({"limits":{"cpu":"1","memory":"1Gi"}})", Qos::guaranteed, "/kubepods/podu1"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.resources);
    const auto pod = pod_with(fmt::format(R"({{"name":"c","resources":{}}})", c.resources));
    EXPECT_EQ(qos_of(pod), c.qos);
    EXPECT_EQ(cgroup_parent_of(pod), c.parent);
  }
}

TEST(PodResources, requests_become_shares_and_limits_quotas) {
  const auto pod = pod_with(
      R"({"name":"c","resources":{"requests":{"cpu":"250m"},"limits":{"cpu":"500m","memory":"64Mi"}}})");
  const auto resources = container_resources(pod.spec.containers[0]);
  EXPECT_EQ(resources.cpu_shares, 256u);
  EXPECT_EQ(resources.cpu_quota_us, 50000);
  EXPECT_EQ(resources.memory_limit_bytes, 64 << 20);
  EXPECT_EQ(oom_score_adj_of(pod, pod.spec.containers[0], 1 << 30), 999);
}

TEST(PodFiles, resolv_conf_follows_the_dns_policy) {
  DnsSettings dns;
  dns.host_resolv_conf = "nameserver 9.9.9.9\nsearch lan\noptions edns0\n";
  struct Case {
    const char* more;
    const char* want;
  };
  const Case cases[] = {
      {"", "nameserver 10.43.0.10\nsearch ns.svc.cluster.local svc.cluster.local cluster.local lan\noptions ndots:5\n"},
      {R"("dnsPolicy":"Default",)", "nameserver 9.9.9.9\nsearch lan\noptions edns0\n"},
      {R"("hostNetwork":true,)", "nameserver 9.9.9.9\nsearch lan\noptions edns0\n"},
      {R"("dnsPolicy":"None","dnsConfig":{"nameservers":["1.1.1.1"],"options":[{"name":"ndots","value":"2"}]},)",
       "nameserver 1.1.1.1\noptions ndots:2\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(resolv_conf_of(pod_with(R"({"name":"c"})", c.more), dns), c.want);
}

TEST(BuildContainer, the_container_overrides_the_pod) {
  const auto pod = pod_with(
      R"x({"name":"c","image":"i","command":["/bin/$(A)"],"securityContext":{"runAsUser":5,"capabilities":{"drop":["ALL"]}}})x",
      R"("securityContext":{"runAsUser":1,"runAsGroup":2,"fsGroup":7},)");
  const auto config = build_container({pod, pod.spec.containers[0], 3, {"A=x"}, {}, "/log", "/t", 1 << 30});
  EXPECT_EQ(config.command, std::vector<std::string>{"/bin/x"});
  EXPECT_EQ(config.security.run_as_user, 5);
  EXPECT_EQ(config.security.run_as_group, 2);
  EXPECT_EQ(config.security.supplemental_groups, std::vector<int64_t>{7});
  EXPECT_EQ(config.security.drop_capabilities, std::vector<std::string>{"ALL"});
  EXPECT_EQ(config.attempt, 3);
}

TEST(ProbeTracker, reports_when_a_threshold_is_reached) {
  ProbeTracker tracker(2, 3);
  EXPECT_EQ(tracker.record(true), std::nullopt);
  EXPECT_EQ(tracker.record(true), true);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(true), std::nullopt);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(false), std::nullopt);
  EXPECT_EQ(tracker.record(false), false);
}

}  // namespace
}  // namespace kinglet::node
