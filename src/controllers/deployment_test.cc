#include "controllers/internal/deployment.h"

#include "controllers/internal/testing.h"

namespace kinglet::controllers {
namespace {

Ref<const Deployment> deployment(int replicas, std::string spec = "", std::string image = "new", std::string meta = "",
                                 std::string status = "") {
  return made<Deployment>(fmt::format(
      "{{metadata: {{name: web, uid: web, generation: 3{}}}, spec: {{replicas: {}{}, template: {{metadata: {{labels: {{app: "
      "web}}}}, spec: {{image: {}}}}}}}, status: {{{}}}}}",
      meta, replicas, spec, image, status));
}
Ref<const ReplicaSet> set_of(std::string name, int replicas, int available, std::string image, int revision = 1,
                             std::string more = "") {
  return made<ReplicaSet>(fmt::format(
      "{{metadata: {{name: {}, uid: {}, creationTimestamp: '2023-11-14T22:0{}:00Z', annotations: {{{}: '{}'{}}}}}, spec: {{replicas: {}, "
      "template: {{metadata: {{labels: {{app: web, pod-template-hash: {}}}}}, spec: {{image: {}}}}}}}, "
      "status: {{replicas: {}, readyReplicas: {}, availableReplicas: {}}}}}",
      name, name, revision, kRevision, revision, more, replicas, name, image, replicas, available, available));
}
std::string scales(const DeploymentPlan& plan) {
  std::string text;
  for (const auto& step : plan.scale) text += fmt::format("{}:{}->{} ", step.set->meta.name, step.set->replicas, step.to);
  return text;
}

TEST(Deployment, rounds_surge_up_and_unavailable_down) {
  struct Case {
    int replicas;
    const char *surge, *unavailable;
    int surge_pods, unavailable_pods;
  };
  const Case cases[] = {
      {4, "25%", "25%", 1, 1}, {3, "25%", "25%", 1, 0}, {1, "0", "0", 0, 1}, {10, "0", "30%", 0, 3}, {0, "25%", "25%", 0, 0}, {2, "1", "5", 1, 2},
  };
  for (const auto& c : cases) {
    const auto d = deployment(c.replicas, fmt::format(", strategy: {{rollingUpdate: {{maxSurge: {}, maxUnavailable: {}}}}}",
                                                      c.surge, c.unavailable));
    EXPECT_EQ(d->surge_pods(), c.surge_pods) << c.replicas << c.surge;
    EXPECT_EQ(d->unavailable_pods(), c.unavailable_pods) << c.replicas << c.unavailable;
  }
}

TEST(PlanDeployment, moves_step_by_step_within_surge_and_unavailable) {
  struct Case {
    const char* name;
    int replicas;
    Sets sets;
    int create;  // -1: no new set
    const char* scale;
  };
  const Case cases[] = {
      {"first rollout", 4, {}, 4, ""},
      {"a new template next to a full old set", 4, {set_of("old", 4, 4, "old")}, 1, ""},
      {"surge used: old ones go down to what must be available", 4, {set_of("old", 4, 4, "old"), set_of("new", 1, 0, "new", 2)}, -1, "old:4->3 "},
      {"room again: the new one grows", 4, {set_of("old", 3, 3, "old"), set_of("new", 1, 0, "new", 2)}, -1, "new:1->2 "},
      {"new pods available: more old ones go", 4, {set_of("old", 3, 3, "old"), set_of("new", 2, 2, "new", 2)}, -1, "old:3->1 "},
      {"unhealthy old pods go first", 4, {set_of("old", 3, 1, "old"), set_of("new", 2, 2, "new", 2)}, -1, "old:3->1 "},
      {"nothing moves while new pods do not come up", 4, {set_of("old", 3, 3, "old"), set_of("new", 2, 0, "new", 2)}, -1, ""},
      {"the last old one", 4, {set_of("old", 1, 1, "old"), set_of("new", 4, 4, "new", 2)}, -1, "old:1->0 "},
      {"too many new ones", 2, {set_of("new", 4, 4, "new", 2)}, -1, "new:4->2 "},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto plan = plan_deployment(*deployment(c.replicas), c.sets, false, at(0));
    EXPECT_EQ(plan.create ? plan.create->replicas : -1, c.create);
    EXPECT_EQ(scales(plan), c.scale);
  }
}

TEST(PlanDeployment, recreate_waits_for_the_last_old_pod) {
  const auto d = deployment(3, ", strategy: {type: Recreate}");
  const Sets old = {set_of("old", 3, 3, "old")};
  auto plan = plan_deployment(*d, old, true, at(0));
  EXPECT_EQ(scales(plan), "old:3->0 ");
  EXPECT_FALSE(plan.create);
  const Sets drained = {set_of("old", 0, 0, "old")};
  EXPECT_FALSE(plan_deployment(*d, drained, true, at(0)).create);
  plan = plan_deployment(*d, drained, false, at(0));
  ASSERT_TRUE(plan.create);
  EXPECT_EQ(plan.create->replicas, 3);
}

TEST(PlanDeployment, scaling_in_the_middle_of_a_rollout_keeps_the_shares) {
  const std::string sizes = ", deployment.kubernetes.io/desired-replicas: '10', deployment.kubernetes.io/max-replicas: '13'";
  const Sets sets = {set_of("old", 8, 8, "old", 1, sizes), set_of("new", 5, 2, "new", 2, sizes)};
  const auto plan = plan_deployment(*deployment(20, ", strategy: {rollingUpdate: {maxSurge: 3, maxUnavailable: 2}}"), sets, false, at(0));
  EXPECT_EQ(scales(plan), "old:8->14 new:5->9 ") << "23 in all, 8:5";
  ASSERT_EQ(plan.annotate.size(), 2u) << "both remember the new size";
  EXPECT_EQ(*client::find_pair(plan.annotate[0].annotations, kDesiredReplicas), "20");
}

TEST(PlanDeployment, a_rollback_raises_the_revision_and_remembers_the_old_one) {
  const Sets sets = {set_of("a", 0, 0, "first", 1), set_of("b", 3, 3, "second", 2)};
  const auto plan = plan_deployment(*deployment(3, "", "first"), sets, false, at(0));
  EXPECT_FALSE(plan.create);
  EXPECT_EQ(plan.revision, "3");
  const auto& a = plan.annotate.at(0);
  EXPECT_EQ(a.set->meta.name, "a");
  EXPECT_EQ(*client::find_pair(a.annotations, kRevision), "3");
  EXPECT_EQ(*client::find_pair(a.annotations, kRevisionHistory), "1");
}

TEST(PlanDeployment, paused_neither_creates_nor_rolls_but_scales) {
  EXPECT_FALSE(plan_deployment(*deployment(3, ", paused: true"), {}, false, at(0)).create);
  const Sets sets = {set_of("old", 3, 3, "old")};
  const auto plan = plan_deployment(*deployment(5, ", paused: true"), sets, false, at(0));
  EXPECT_FALSE(plan.create);
  EXPECT_EQ(scales(plan), "old:3->5 ");
  const auto* progress = client::find_condition(plan.status.conditions, "Progressing");
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->reason, "DeploymentPaused");
}

TEST(PlanDeployment, cleans_up_old_sets_when_the_rollout_is_done) {
  const Sets sets = {set_of("a", 0, 0, "1", 1), set_of("b", 0, 0, "2", 2), set_of("c", 0, 0, "3", 3), set_of("new", 2, 2, "new", 4)};
  const auto plan = plan_deployment(*deployment(2, ", revisionHistoryLimit: 1"), sets, false, at(0));
  ASSERT_EQ(plan.remove.size(), 2u);
  EXPECT_EQ(plan.remove[0]->meta.name, "a");
  EXPECT_EQ(plan.remove[1]->meta.name, "b");
  const Sets rolling = {set_of("a", 0, 0, "1", 1), set_of("b", 2, 2, "2", 2), set_of("new", 1, 0, "new", 4)};
  EXPECT_TRUE(plan_deployment(*deployment(2, ", revisionHistoryLimit: 0"), rolling, false, at(0)).remove.empty());
}

TEST(DeploymentStatus, says_progress_completion_and_timeout) {
  const auto reason = [](const DeploymentPlan& plan) {
    const auto* progress = client::find_condition(plan.status.conditions, "Progressing");
    return progress ? progress->reason : "none";
  };
  const auto d = deployment(2);
  EXPECT_EQ(reason(plan_deployment(*d, {}, false, at(0))), "NewReplicaSetCreated");
  auto plan = plan_deployment(*d, {set_of("new", 2, 2, "new")}, false, at(0));
  EXPECT_EQ(reason(plan), "NewReplicaSetAvailable");
  EXPECT_EQ(plan.status.updated, 2);
  EXPECT_EQ(plan.status.observed_generation, 3);
  EXPECT_FALSE(plan.again_after) << "nothing left to watch";

  const std::string stuck = "replicas: 2, updatedReplicas: 2, unavailableReplicas: 2, conditions: [{type: Progressing, status: 'True', "
                            "reason: ReplicaSetUpdated, lastUpdateTime: '2023-11-14T22:13:20Z', lastTransitionTime: x}]";
  const auto waiting = deployment(2, ", progressDeadlineSeconds: 60", "new", "", stuck);
  const Sets sets = {set_of("new", 2, 0, "new")};
  plan = plan_deployment(*waiting, sets, false, at(10));
  EXPECT_EQ(reason(plan), "ReplicaSetUpdated");
  ASSERT_TRUE(plan.again_after);
  EXPECT_EQ(*plan.again_after, 51s);
  plan = plan_deployment(*waiting, sets, false, at(61));
  EXPECT_EQ(reason(plan), "ProgressDeadlineExceeded");
  EXPECT_EQ(client::find_condition(plan.status.conditions, "Progressing")->status, "False");
  EXPECT_EQ(client::find_condition(plan.status.conditions, "Available")->status, "False");
}

TEST(DeploymentStatus, is_the_same_when_nothing_changed) {
  const auto first = plan_deployment(*deployment(2), {set_of("new", 2, 2, "new")}, false, at(0)).status;
  auto again = *deployment(2);
  again.status = first;
  EXPECT_EQ(plan_deployment(again, {set_of("new", 2, 2, "new")}, false, at(100)).status, first);
}

TEST(TemplateHash, differs_by_template_and_collision_and_reads_like_a_label) {
  const auto a = template_of(*deployment(1, "", "a")), b = template_of(*deployment(1, "", "b"));
  EXPECT_NE(template_hash(a, std::nullopt), template_hash(b, std::nullopt));
  EXPECT_NE(template_hash(a, std::nullopt), template_hash(a, 1));
  EXPECT_EQ(template_hash(a, 1), template_hash(a, 1));
  EXPECT_LE(template_hash(a, 1).size(), 10u);
}

}  // namespace
}  // namespace kinglet::controllers
