#include "controllers/internal/replica_plan.h"

#include "controllers/internal/ownership.h"
#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

Ref<const Pod> pod(std::string name, std::string spec, std::string status, std::string more = "") {
  return made<Pod>("{metadata: {name: " + name + ", uid: " + name + more + "}, spec: {" + spec + "}, status: {" + status + "}}");
}
Ref<const Pod> ready(std::string name, std::string node = "n1") {
  return pod(name, "nodeName: " + node, "phase: Running, conditions: [{type: Ready, status: 'True', lastTransitionTime: '2023-11-14T22:00:00Z'}]");
}
Ref<const Pod> unready(std::string name) { return pod(name, "nodeName: n1", "phase: Running"); }
Ref<const Pod> pending(std::string name) { return pod(name, "", "phase: Pending"); }
Ref<const Pod> failed(std::string name) { return pod(name, "nodeName: n1", "phase: Failed"); }
Ref<const Pod> dying(std::string name) {
  return pod(name, "nodeName: n1", "phase: Running", ", deletionTimestamp: '2023-11-14T22:00:00Z'");
}
Ref<const ReplicaSet> set_of(int replicas) {
  return made<ReplicaSet>(fmt::format("{{metadata: {{name: rs, uid: rs, generation: 2}}, spec: {{replicas: {}}}}}", replicas));
}
using Pods = std::vector<Ref<const Pod>>;

TEST(PlanReplicas, reaches_the_wanted_count_and_removes_the_cheapest) {
  struct Case {
    const char* name;
    int want;
    Pods pods;
    int create;
    std::vector<std::string> remove;
  };
  const Case cases[] = {
      {"nothing runs", 3, {}, 3, {}},
      {"enough", 1, {ready("a")}, 0, {}},
      {"failed pods do not count", 1, {failed("a")}, 1, {}},
      {"dying pods do not count", 1, {dying("a")}, 1, {}},
      {"unready goes before ready", 1, {ready("a"), unready("b")}, 0, {"b"}},
      {"unassigned goes before unready", 1, {unready("a"), pending("b")}, 0, {"b"}},
      {"a cheaper one goes first", 1,
       {ready("a"), pod("b", "nodeName: n1", "phase: Running, conditions: [{type: Ready, status: 'True'}]",
                        ", annotations: {controller.kubernetes.io/pod-deletion-cost: '-5'}")},
       0, {"b"}},
      {"the one that crashed goes first", 1,
       {unready("a"), pod("b", "nodeName: n1", "phase: Running, containerStatuses: [{restartCount: 4}]")}, 0, {"b"}},
      {"bursts are bounded", 2000, {}, kBurstMax, {}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto plan = plan_replicas(*set_of(c.want), c.pods, {}, at(0));
    EXPECT_EQ(plan.create, c.create);
    std::vector<std::string> remove;
    for (const auto& p : plan.remove) remove.push_back(p->meta.name);
    EXPECT_EQ(remove, c.remove);
  }
}

TEST(PlanReplicas, takes_from_the_crowded_node) {
  const Pods pods = {ready("a", "n1"), ready("b", "n2"), ready("c", "n2")};
  const auto plan = plan_replicas(*set_of(2), pods, {{"n1", 1}, {"n2", 2}}, at(0));
  ASSERT_EQ(plan.remove.size(), 1u);
  EXPECT_EQ(plan.remove[0]->node_name, "n2");
}

TEST(ReplicaStatus, counts_and_keeps_the_first_failure_text) {
  const auto set = made<ReplicaSet>(R"({metadata: {generation: 7}, spec: {replicas: 3, minReadySeconds: 10},
    status: {conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: first, lastTransitionTime: t}]}})");
  const Pods pods = {ready("a"), unready("b"), failed("c"), dying("d")};
  const Condition failure{"ReplicaFailure", "True", "FailedCreate", "second", "now", {}};
  const auto status = replica_status(*set, pods, {}, failure, at(0));
  EXPECT_EQ(status.replicas, 2);
  EXPECT_EQ(status.ready, 1);
  EXPECT_EQ(status.available, 1);
  EXPECT_EQ(status.observed_generation, 7);
  ASSERT_EQ(status.conditions.size(), 1u);
  EXPECT_EQ(status.conditions[0].message, "first");
  EXPECT_TRUE(replica_status(*set, pods, {}, std::nullopt, at(0)).conditions.empty());
}

TEST(Claims, adopts_orphans_that_match_and_releases_what_no_longer_does) {
  const auto selector = *schema::Selector::parse("app=web");
  const auto thing = [](const char* name, const char* labels, const char* owner) {
    return made<Pod>(fmt::format("{{metadata: {{name: {}, uid: {}, labels: {{{}}}, ownerReferences: [{}]}}}}", name, name, labels, owner));
  };
  const char* mine = "{uid: me, controller: true}";
  const std::vector<Ref<const Object>> candidates = {
      thing("kept", "app: web", mine),        thing("strayed", "app: db", mine),
      thing("orphan", "app: web", ""),        thing("stranger", "app: db", ""),
      thing("others", "app: web", "{uid: other, controller: true}"),
  };
  Meta me;
  me.uid = "me";
  auto claims = plan_claims(me, selector, candidates);
  const auto names = [](const auto& list) {
    std::string text;
    for (const auto& object : list) text += object->meta.name + " ";
    return text;
  };
  EXPECT_EQ(names(claims.owned), "kept ");
  EXPECT_EQ(names(claims.adopt), "orphan ");
  EXPECT_EQ(names(claims.release), "strayed ");
  me.deleted = at(0);
  claims = plan_claims(me, selector, candidates);
  EXPECT_EQ(names(claims.adopt) + names(claims.release), "") << "an owner on its way out changes nothing";
}

}  // namespace
}  // namespace kinglet::controllers
