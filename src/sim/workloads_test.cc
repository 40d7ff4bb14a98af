// Jobs, daemons, stateful sets and volumes in a simulated cluster, with what must hold at every moment.
#include <gtest/gtest.h>

#include "client/conditions.h"
#include "sim/cluster.h"

namespace kinglet::sim {
namespace {

void expect_healthy(Cluster& cluster) { EXPECT_TRUE(cluster.violations().empty()) << cluster.replay(); }

bool alive(const json::Value& pod) { return json::text_at(pod, {"metadata", "deletionTimestamp"}).empty(); }

bool condition(const json::Value& object, const char* type) {
  const auto conditions = client::conditions_at(object, {"status", "conditions"});
  const auto* found = client::find_condition(conditions, type);
  return found && found->status == "True";
}

// Pods whose image is "completes" end well after a while, those with "fails" do not.
std::string job(const std::string& spec, const char* image = "completes") {
  return fmt::format(R"(
apiVersion: batch/v1
kind: Job
metadata: {{name: pi}}
spec:
  {}
  template:
    metadata: {{labels: {{app: pi}}}}
    spec: {{restartPolicy: Never, terminationGracePeriodSeconds: 1, containers: [{{name: c, image: {}}}]}}
)",
                     spec, image);
}

TEST(SimJob, counts_exactly_what_was_asked_for) {
  for (const uint64_t seed : seeds(5)) {
    Cluster cluster({.seed = seed});
    cluster.check([&](const store::Event& event) {
      if (!event.entry->key.starts_with("core/pods/default/")) return;
      const auto pods = cluster.list("pods");
      const auto running = std::count_if(pods.begin(), pods.end(), [](const json::Value& pod) {
        const auto phase = json::text_at(pod, {"status", "phase"});
        return alive(pod) && phase != "Succeeded" && phase != "Failed";
      });
      if (running > 4) cluster.violation(fmt::format("{} pods at once", running));
    });
    cluster.apply(job("completions: 12\n  parallelism: 4"));
    EXPECT_TRUE(cluster.run_until([&] { return condition(cluster.get("jobs/pi"), "Complete"); }, 5min)) << cluster.replay();
    const auto done = cluster.get("jobs/pi");
    EXPECT_EQ(json::int_at(done, {"status", "succeeded"}), 12) << cluster.replay();
    EXPECT_EQ(cluster.list("pods").size(), 12u) << "not one too many; " << cluster.replay();
    EXPECT_EQ(json::int_at(done, {"status", "active"}), 0);
    for (const auto& pod : cluster.list("pods"))
      EXPECT_TRUE(client::array_at(pod, {"metadata", "finalizers"}).empty()) << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimJob, indexes_complete_in_spite_of_lost_nodes) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed, .nodes = {.nodes = 4}});
    cluster.apply(job("completions: 10\n  parallelism: 5\n  completionMode: Indexed"));
    cluster.run_for(4s);
    const auto lost = cluster.pick_node();
    cluster.nodes().power_off(lost);
    cluster.run_for(10min);  // its pods are given up and replaced
    EXPECT_EQ(json::text_at(cluster.get("jobs/pi"), {"status", "completedIndexes"}), "0-9") << cluster.replay();
    // Complete only when nothing can run any more: nobody knows what the lost node does.
    cluster.nodes().power_on(lost);
    EXPECT_TRUE(cluster.run_until([&] { return condition(cluster.get("jobs/pi"), "Complete"); }, 5min)) << cluster.replay();
    EXPECT_EQ(json::text_at(cluster.get("jobs/pi"), {"status", "completedIndexes"}), "0-9") << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimJob, gives_up_after_its_limit_and_is_cleaned_up) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    cluster.apply(job("backoffLimit: 2\n  ttlSecondsAfterFinished: 30", "fails"));
    EXPECT_TRUE(cluster.run_until([&] { return condition(cluster.get("jobs/pi"), "Failed"); }, 5min)) << cluster.replay();
    EXPECT_EQ(json::int_at(cluster.get("jobs/pi"), {"status", "failed"}), 3) << cluster.replay();
    EXPECT_TRUE(cluster.run_until([&] { return cluster.get("jobs/pi").is_null() && cluster.list("pods").empty(); }, 2min))
        << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimCronJob, runs_each_minute_and_keeps_three) {
  for (const uint64_t seed : seeds(2)) {
    Cluster cluster({.seed = seed});
    cluster.apply(R"(
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  concurrencyPolicy: Forbid
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: completes}]}}}}
)");
    cluster.run_for(10min);
    EXPECT_EQ(cluster.list("jobs").size(), 3u) << cluster.replay();
    const auto cron = cluster.get("cronjobs/tick");
    EXPECT_FALSE(json::text_at(cron, {"status", "lastSuccessfulTime"}).empty()) << cluster.replay();
    expect_healthy(cluster);
  }
}

std::string daemons(const char* image, const char* strategy = "{type: RollingUpdate}") {
  return fmt::format(R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: log}}
spec:
  selector: {{matchLabels: {{app: log}}}}
  updateStrategy: {}
  template:
    metadata: {{labels: {{app: log}}}}
    spec: {{terminationGracePeriodSeconds: 1, containers: [{{name: c, image: {}}}]}}
)",
                     strategy, image);
}

TEST(SimDaemonSet, one_pod_on_each_node_through_updates_and_new_nodes) {
  for (const uint64_t seed : seeds(3)) {
    for (const char* strategy : {"{type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}",
                                 "{type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}"}) {
      Cluster cluster({.seed = seed, .nodes = {.nodes = 4}});
      const bool surge = std::string_view(strategy).find("Surge: 1") != std::string_view::npos;
      cluster.apply(daemons("one", strategy));
      ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 4; }, 60s)) << cluster.replay();
      cluster.check([&](const store::Event& event) {
        if (!event.entry->key.starts_with("core/pods/default/")) return;
        const int ready = cluster.ready_pods();
        if (ready < (surge ? 4 : 3)) cluster.violation(fmt::format("only {} ready", ready));
      });
      cluster.apply(daemons("two", strategy));
      const auto updated = [&] {
        const auto set = cluster.get("daemonsets/log");
        return json::int_at(set, {"status", "updatedNumberScheduled"}) == 4 && json::int_at(set, {"status", "numberAvailable"}) == 4 &&
               cluster.list("pods").size() == 4;
      };
      EXPECT_TRUE(cluster.run_until(updated, 3min)) << cluster.replay();
      cluster.nodes().add_node("extra");
      EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods("default", "extra") == 1; }, 30s)) << cluster.replay();
      EXPECT_EQ(cluster.list("controllerrevisions").size(), 2u);
      expect_healthy(cluster);
    }
  }
}

std::string stateful(int replicas, const char* image, const char* more = "") {
  return fmt::format(R"(
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  replicas: {}
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  {}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{terminationGracePeriodSeconds: 1, containers: [{{name: c, image: {}}}]}}
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
)",
                     replicas, more, image);
}

TEST(SimStatefulSet, starts_in_order_rolls_backwards_and_keeps_its_volumes) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed, .nodes = {.nodes = 3}, .controllers = {.local_path_class = true}});
    std::map<std::string, std::string> volumes;
    cluster.check([&](const store::Event& event) {
      if (!event.entry->key.starts_with("core/pods/default/") || event.type != store::Event::Type::put || event.previous) return;
      const auto name = event.entry->key.substr(event.entry->key.rfind('/') + 1);
      for (int i = 0; i < name.back() - '0'; ++i) {
        const auto before = cluster.get(fmt::format("pods/db-{}", i));
        if (!condition(before, "Ready")) cluster.violation(fmt::format("{} came before db-{} was ready", name, i));
      }
    });
    cluster.apply(stateful(3, "one"));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 3; }, 2min)) << cluster.replay();
    for (const auto& claim : cluster.list("persistentvolumeclaims")) {
      EXPECT_EQ(json::text_at(claim, {"status", "phase"}), "Bound");
      volumes[std::string(json::text_at(claim, {"metadata", "name"}))] = json::text_at(claim, {"spec", "volumeName"});
    }
    EXPECT_EQ(volumes.size(), 3u) << cluster.replay();

    cluster.apply(stateful(3, "two"));
    const auto renewed = [&] {
      const auto set = cluster.get("statefulsets/db");
      return json::int_at(set, {"status", "updatedReplicas"}) == 3 && json::int_at(set, {"status", "availableReplicas"}) == 3 &&
             json::text_at(set, {"status", "currentRevision"}) == json::text_at(set, {"status", "updateRevision"});
    };
    EXPECT_TRUE(cluster.run_until(renewed, 3min)) << json::print(cluster.get("statefulsets/db")) << cluster.replay();
    EXPECT_EQ(cluster.list("controllerrevisions").size(), 2u);
    cluster.apply(stateful(1, "two"));
    EXPECT_TRUE(cluster.run_until([&] { return cluster.list("pods").size() == 1; }, 60s)) << cluster.replay();
    cluster.apply(stateful(3, "two"));
    EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 3; }, 2min)) << cluster.replay();
    for (const auto& claim : cluster.list("persistentvolumeclaims"))
      EXPECT_EQ(volumes[std::string(json::text_at(claim, {"metadata", "name"}))], json::text_at(claim, {"spec", "volumeName"}));
    expect_healthy(cluster);
  }
}

TEST(SimStatefulSet, a_partition_holds_the_lower_ordinals_back) {
  Cluster cluster({.seed = 3, .controllers = {.local_path_class = true}});
  cluster.apply(stateful(3, "one"));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 3; }, 2min)) << cluster.replay();
  cluster.apply(stateful(3, "two", "updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 2}}"));
  cluster.run_for(60s);
  std::string images;
  for (const auto& pod : cluster.list("pods")) images += client::string_at(client::array_at(pod, {"spec", "containers"})[0], {"image"}) + " ";
  EXPECT_EQ(images, "one one two ") << cluster.replay();
  expect_healthy(cluster);
}

TEST(SimStorage, a_claim_in_use_stays_and_a_volume_given_up_is_released) {
  Cluster cluster({.seed = 5, .controllers = {.local_path_class = true}});
  cluster.apply(stateful(1, "one"));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 1; }, 2min)) << cluster.replay();
  cluster.remove("persistentvolumeclaims/data-db-0", "default");
  cluster.run_for(30s);
  EXPECT_FALSE(cluster.get("persistentvolumeclaims/data-db-0").is_null()) << "a pod uses it; " << cluster.replay();
  cluster.remove("statefulsets/db", "default");
  EXPECT_TRUE(cluster.run_until([&] { return cluster.get("persistentvolumeclaims/data-db-0").is_null(); }, 60s)) << cluster.replay();
  cluster.run_for(5s);
  const auto volumes = cluster.list("persistentvolumes", "");
  ASSERT_EQ(volumes.size(), 1u);
  EXPECT_EQ(json::text_at(volumes[0], {"status", "phase"}), "Released") << cluster.replay();
  expect_healthy(cluster);
}

TEST(SimDisruption, evictions_never_take_more_than_the_budget_allows) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    cluster.apply(stateful(4, "one", "podManagementPolicy: Parallel"));
    cluster.apply("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: db}, spec: {maxUnavailable: 1, selector: {matchLabels: {app: db}}}}");
    cluster.run_for(60s);
    const auto budget = cluster.get("poddisruptionbudgets/db");
    EXPECT_EQ(json::int_at(budget, {"status", "expectedPods"}), 4) << cluster.replay();
    EXPECT_EQ(json::int_at(budget, {"status", "desiredHealthy"}), 3);
    expect_healthy(cluster);
  }
}

}  // namespace
}  // namespace kinglet::sim
