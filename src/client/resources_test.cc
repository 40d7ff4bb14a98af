#include "client/resources.h"

#include <gtest/gtest.h>

#include "client/pod.h"

namespace kinglet::client {
namespace {

TEST(PodRequests, take_the_larger_of_running_and_starting) {
  struct Case {
    const char* name;
    const char* spec;
    int64_t milli_cpu, memory;
  };
  const Case cases[] = {
      {"nothing asked", R"({containers: [{name: a}]})", 0, 0},
      {"containers add up",
       R"({containers: [{resources: {requests: {cpu: 100m, memory: 1Mi}}}, {resources: {requests: {cpu: "1"}}}]})", 1100,
       1 << 20},
      {"an init container that needs more",
       R"({initContainers: [{resources: {requests: {cpu: "2"}}}, {resources: {requests: {memory: 4Mi}}}],
           containers: [{resources: {requests: {cpu: 100m, memory: 1Mi}}}]})", 2000, 4 << 20},
      {"a sidecar runs beside the containers and the later init containers",
       R"({initContainers: [{restartPolicy: Always, resources: {requests: {cpu: 500m}}}, {resources: {requests: {cpu: "1"}}}],
           containers: [{resources: {requests: {cpu: 700m}}}]})", 1500, 0},
      {"overhead comes on top",
       R"({overhead: {cpu: 50m, memory: 2Mi}, containers: [{resources: {requests: {cpu: 100m}}}]})", 150, 2 << 20},
      {"pod level requests stand in", R"({resources: {requests: {cpu: "3"}}, containers: [{resources: {requests: {cpu: 100m, memory: 1Mi}}}]})",
       3000, 1 << 20},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto spec = json::parse_yaml(c.spec);
    ASSERT_TRUE(spec) << spec.error().message();
    const auto requests = pod_requests(*spec);
    EXPECT_EQ(requests.milli_cpu, c.milli_cpu);
    EXPECT_EQ(requests.memory_bytes, c.memory);
  }
}

TEST(Resources, extended_amounts_add_and_subtract_by_name) {
  const auto list = json::parse(R"({"nvidia.com/gpu":"2","hugepages-2Mi":"4Mi","pods":"10"})");
  auto total = resources_of(&*list);
  EXPECT_EQ(total.extended.size(), 2u) << "pods are counted apart";
  total.add(total);
  EXPECT_EQ(total.extended_amount("nvidia.com/gpu"), 4);
  auto rest = total;
  rest.subtract(total);
  EXPECT_EQ(rest, Resources());
}

TEST(Toleration, matches_as_upstream) {
  const Taint taint{"key", "value", "NoSchedule", {}};
  struct Case {
    const char* name;
    Toleration toleration;
    bool tolerates;
  };
  const Case cases[] = {
      {"equal", {"key", "value", "NoSchedule", false, {}}, true},
      {"other value", {"key", "other", "NoSchedule", false, {}}, false},
      {"exists", {"key", "", "NoSchedule", true, {}}, true},
      {"any effect", {"key", "value", "", false, {}}, true},
      {"other effect", {"key", "value", "NoExecute", false, {}}, false},
      {"everything", {"", "", "", true, {}}, true},
      {"other key", {"else", "", "", true, {}}, false},
  };
  for (const auto& c : cases) EXPECT_EQ(c.toleration.tolerates(taint), c.tolerates) << c.name;
}

TEST(Pod, is_read_as_deciders_need_it) {
  const auto object = json::parse_yaml(R"(
spec:
  nodeName: n1
  containers:
  - ports: [{name: http, containerPort: 80, hostPort: 8080}]
status:
  phase: Running
  podIPs: [{ip: 10.42.0.2}, {ip: "fd00::2"}]
  conditions: [{type: Ready, status: "True", lastTransitionTime: "2024-01-01T00:00:00Z"}]
  containerStatuses: [{restartCount: 1}, {restartCount: 3}]
)");
  const auto pod = Pod::decode(*object);
  EXPECT_EQ(pod->node_name, "n1");
  EXPECT_EQ(pod->ips.size(), 2u);
  EXPECT_EQ(pod->ports[0].protocol, "TCP");
  EXPECT_EQ(pod->restarts, 3);
  EXPECT_TRUE(pod->ready);
  const auto since = *parse_rfc3339("2024-01-01T00:00:00Z");
  EXPECT_FALSE(pod->available(10s, {since.since_epoch + 9s}));
  EXPECT_TRUE(pod->available(10s, {since.since_epoch + 10s}));
  EXPECT_TRUE(pod->available(0s, since));
}

}  // namespace
}  // namespace kinglet::client
