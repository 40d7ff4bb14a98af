#include "controllers/internal/node_health.h"

#include "controllers/internal/namespace_content.h"
#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

Ref<const Node> node(std::string ready, std::string taints = "") {
  return made<Node>("{metadata: {name: n1, resourceVersion: '5'}, spec: {taints: [" + taints + "]}, status: {conditions: [" +
                    (ready.empty() ? "" : "{type: Ready, status: '" + ready + "'}") + "]}}");
}
std::string text_of(const std::optional<std::vector<client::Taint>>& taints) {
  if (!taints) return "same";
  std::string text;
  for (const auto& t : *taints) text += t.key.substr(t.key.find('/') + 1) + ":" + t.effect + " ";
  return text;
}

TEST(PlanNode, turns_silence_and_trouble_into_taints) {
  const std::string unreachable = "{key: node.kubernetes.io/unreachable, effect: NoSchedule}, {key: node.kubernetes.io/unreachable, effect: NoExecute}";
  struct Case {
    const char* name;
    Ref<const Node> node;
    bool alive, all_down;
    const char* taints;
    bool unknown;
  };
  const Case cases[] = {
      {"healthy", node("True"), true, false, "same", false},
      {"silent", node("True"), false, false, "unreachable:NoSchedule unreachable:NoExecute ", true},
      {"still silent", node("Unknown", unreachable), false, false, "same", true},
      {"not ready", node("False"), true, false, "not-ready:NoSchedule not-ready:NoExecute ", false},
      {"back again", node("True", unreachable), true, false, "", false},
      {"everybody is silent: nobody is evicted", node("True"), false, true, "unreachable:NoSchedule ", true},
      {"foreign taints stay", node("True", unreachable + ", {key: mine, effect: NoSchedule}"), true, false, "mine:NoSchedule ", false},
      {"cordoned", made<Node>("{spec: {unschedulable: true}, status: {conditions: [{type: Ready, status: 'True'}]}}"), true, false,
       "unschedulable:NoSchedule ", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto plan = plan_node(*c.node, c.alive, c.all_down, at(0));
    EXPECT_EQ(text_of(plan.taints), c.taints);
    EXPECT_EQ(plan.pods_not_ready, !c.alive);
    EXPECT_EQ(plan.became_unknown, c.unknown);
    if (plan.conditions) {
      const auto* ready = client::find_condition(*plan.conditions, "Ready");
      EXPECT_EQ(ready->status, "Unknown");
      EXPECT_EQ(plan.conditions->size(), 4u);
    }
  }
}

TEST(EvictionTime, follows_the_shortest_toleration) {
  struct Case {
    const char* name;
    const char* tolerations;
    std::optional<int> after;
  };
  const Case cases[] = {
      {"none", "", 0},
      {"for ever", "{key: k, operator: Exists}", std::nullopt},
      {"a while", "{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 300}", 300},
      {"the shorter of two", "{key: k, operator: Exists, tolerationSeconds: 300}, {operator: Exists, tolerationSeconds: 60}", 60},
      {"negative is at once", "{key: k, operator: Exists, tolerationSeconds: -1}", 0},
  };
  const std::vector<client::Taint> taints = {{"k", "", "NoExecute", at(100)}, {"other", "", "NoSchedule", {}}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto pod = made<Pod>(fmt::format("{{spec: {{tolerations: [{}]}}}}", c.tolerations));
    const auto when = eviction_time(*pod, taints, at(0));
    ASSERT_EQ(when.has_value(), c.after.has_value());
    if (when) {
      EXPECT_EQ(when->since_epoch, at(100 + *c.after).since_epoch);
    }
  }
}

TEST(Remaining, names_what_is_left_and_what_holds_it) {
  Remaining left;
  left.count(Pod::resource(), {Bytes(R"({"metadata":{"name":"a","finalizers":["x/y"]}})"), Bytes(R"({"metadata":{"name":"b"}})")});
  EXPECT_EQ(left.total(), 2u);
  const auto conditions = left.conditions({}, at(0));
  EXPECT_EQ(client::find_condition(conditions, "NamespaceContentRemaining")->message,
            "Some resources are remaining: pods. has 2 resource instances");
  EXPECT_EQ(client::find_condition(conditions, "NamespaceFinalizersRemaining")->message,
            "Some content in the namespace has finalizers remaining: x/y in 1 resource instances");
  EXPECT_EQ(left.conditions(conditions, at(60)), conditions) << "times stay while nothing changes";
}

}  // namespace
}  // namespace kinglet::controllers
