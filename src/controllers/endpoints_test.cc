#include "controllers/internal/endpoints.h"

#include "controllers/internal/endpoint_slice.h"
#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

Ref<const Service> service(std::string spec) {
  return made<Service>("{metadata: {name: web, namespace: a, uid: svc, labels: {app: web}}, spec: {selector: {app: web}, " + spec + "}}");
}
Ref<const Pod> pod(int i, std::string status = "", std::string more = "", std::string meta = "") {
  return made<Pod>(fmt::format("{{metadata: {{name: p{:03}, namespace: a, uid: u{:03}, labels: {{app: web}}{}}}, "
                               "spec: {{nodeName: n1, containers: [{{ports: [{{name: http, containerPort: 8080}}]}}]{}}}, "
                               "status: {{phase: Running, podIPs: [{{ip: 10.42.0.{}}}]{}}}}}",
                               i, i, meta, more, i, status));
}
constexpr char kReady[] = ", conditions: [{type: Ready, status: 'True'}]";
constexpr char kDying[] = ", deletionTimestamp: '2023-11-14T22:00:00Z'";
std::string no_zone(const std::string&) { return {}; }

TEST(EndpointOf, says_ready_serving_and_terminating) {
  struct Case {
    const char* name;
    bool publish;
    Ref<const Pod> pod;
    bool there, ready, serving, terminating;
  };
  const Case cases[] = {
      {"ready", false, pod(1, kReady), true, true, true, false},
      {"not ready", false, pod(1), true, false, false, false},
      {"terminating but still serving", false, pod(1, kReady, "", kDying), true, false, true, true},
      {"published all the same", true, pod(1), true, true, false, false},
      {"no address yet", false, made<Pod>("{status: {phase: Pending}}"), false, false, false, false},
      {"ended", false, made<Pod>("{status: {phase: Succeeded, podIP: 10.42.0.9}}"), false, false, false, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto s = service(c.publish ? "publishNotReadyAddresses: true" : "clusterIP: 10.43.0.1");
    const auto endpoint = endpoint_of(*s, *c.pod, "IPv4", "");
    ASSERT_EQ(endpoint.has_value(), c.there);
    if (!endpoint) continue;
    EXPECT_EQ(endpoint->ready, c.ready);
    EXPECT_EQ(endpoint->serving, c.serving);
    EXPECT_EQ(endpoint->terminating, c.terminating);
  }
}

TEST(PortsAt, resolves_names_at_the_pod) {
  const auto s = service("ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 81}, {name: c, port: 82, targetPort: 9000}, {name: d, port: 83, targetPort: nope}]");
  const auto ports = ports_at(*s, *pod(1));
  ASSERT_EQ(ports.size(), 3u);
  EXPECT_EQ(ports[0].port, 8080);
  EXPECT_EQ(ports[1].port, 81);
  EXPECT_EQ(ports[2].port, 9000);
}

// Applies a plan as the API would.
std::vector<Ref<const EndpointSlice>> applied(const Service& s, const SlicePlan& plan, std::vector<Ref<const EndpointSlice>> slices) {
  static int made_names = 0;
  for (const auto& gone : plan.remove) std::erase(slices, gone);
  for (const auto& wanted : plan.write) {
    auto object = slice_object(s, wanted);
    if (!wanted.existing) object.as_object()["metadata"].as_object()["name"] = fmt::format("web-{:05}", ++made_names);
    const auto fresh = made<EndpointSlice>(json::print(object));
    if (wanted.existing) std::erase(slices, wanted.existing);
    slices.push_back(fresh);
  }
  return slices;
}
std::vector<Ref<const Pod>> pods(int from, int to) {
  std::vector<Ref<const Pod>> list;
  for (int i = from; i < to; ++i) list.push_back(pod(i, kReady));
  return list;
}
size_t total(const std::vector<Ref<const EndpointSlice>>& slices) {
  size_t sum = 0;
  for (const auto& slice : slices) sum += slice->endpoints.size();
  return sum;
}

TEST(PlanSlices, fill_up_to_a_hundred_and_change_as_little_as_possible) {
  const auto s = service("ports: [{port: 80}]");
  auto plan = plan_slices(*s, group_endpoints(*s, pods(0, 150), no_zone), {});
  EXPECT_EQ(plan.write.size(), 2u);
  auto slices = applied(*s, plan, {});
  EXPECT_EQ(total(slices), 150u);

  plan = plan_slices(*s, group_endpoints(*s, pods(0, 150), no_zone), slices);
  EXPECT_TRUE(plan.write.empty() && plan.remove.empty()) << "the same pods: nothing to write";

  plan = plan_slices(*s, group_endpoints(*s, pods(0, 151), no_zone), slices);
  EXPECT_EQ(plan.write.size(), 1u) << "one more pod: one slice changes";
  slices = applied(*s, plan, slices);
  plan = plan_slices(*s, group_endpoints(*s, pods(1, 152), no_zone), slices);
  EXPECT_EQ(plan.write.size(), 1u) << "the free place of the slice that changes anyway takes the new pod";
  slices = applied(*s, plan, slices);
  EXPECT_EQ(total(slices), 151u);

  plan = plan_slices(*s, group_endpoints(*s, {}, no_zone), slices);
  slices = applied(*s, plan, slices);
  ASSERT_EQ(slices.size(), 1u) << "one empty slice stays";
  EXPECT_EQ(total(slices), 0u);
}

TEST(PlanSlices, keep_families_and_port_sets_apart) {
  const auto s = service("ipFamilies: [IPv4, IPv6], ports: [{port: 80, targetPort: http}]");
  std::vector<Ref<const Pod>> mixed = {pod(1, kReady)};
  mixed.push_back(made<Pod>("{metadata: {name: q, namespace: a, uid: q}, spec: {containers: [{ports: [{name: http, containerPort: 9090}]}]}, "
                            "status: {phase: Running, podIPs: [{ip: 10.42.0.7}, {ip: 'fd00::7'}]}}"));
  const auto plan = plan_slices(*s, group_endpoints(*s, mixed, no_zone), {});
  std::string text;
  for (const auto& slice : plan.write) text += fmt::format("{}:{}:{} ", slice.address_type, slice.ports[0].port, slice.endpoints[0].address);
  EXPECT_EQ(text, "IPv4:8080:10.42.0.1 IPv4:9090:10.42.0.7 IPv6:9090:fd00::7 ");
}

TEST(Endpoints, list_ready_and_other_pods_and_leave_terminating_out) {
  const auto s = service("clusterIP: None, ports: [{name: x, port: 80}]");
  const std::vector<Ref<const Pod>> all = {pod(2, kReady), pod(1, kReady), pod(3), pod(4, kReady, "", kDying)};
  const auto wanted = wanted_endpoints(*s, all);
  const auto object = endpoints_object(*s, wanted, nullptr);
  const auto back = made<Endpoints>(json::print(object));
  ASSERT_EQ(back->subsets.size(), 1u);
  std::string text;
  for (const auto& e : back->subsets[0].endpoints) text += e.address + (e.ready ? "+ " : "- ");
  EXPECT_EQ(text, "10.42.0.1+ 10.42.0.2+ 10.42.0.3- ");
  EXPECT_TRUE(back->meta.label(kHeadlessLabel));
  EXPECT_TRUE(up_to_date(*s, wanted, *back)) << "what was written is what was wanted";
  EXPECT_FALSE(up_to_date(*s, wanted_endpoints(*s, {pod(1)}), *back));
}

}  // namespace
}  // namespace kinglet::controllers
