// What must hold in every cluster, whatever the seed.
#include <gtest/gtest.h>

#include "client/conditions.h"
#include "sim/cluster.h"

namespace kinglet::sim {
namespace {

std::string deployment(int replicas, std::string image = "one", std::string extra = "") {
  return fmt::format(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {}
  {}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers: [{{name: c, image: {}, resources: {{requests: {{cpu: 50m, memory: 16Mi}}}}}}]
)",
                     replicas, extra, image);
}
constexpr char kService[] = R"(
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
)";

void expect_healthy(Cluster& cluster) { EXPECT_TRUE(cluster.violations().empty()) << cluster.replay(); }

TEST(SimDeployment, reaches_its_replicas_and_its_service_names_them) {
  for (const uint64_t seed : seeds(5)) {
    Cluster cluster({.seed = seed});
    cluster.apply(kService);
    cluster.apply(deployment(10));
    EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 10 && cluster.endpoints("web") == 10; }, 30s))
        << cluster.ready_pods() << " ready, " << cluster.endpoints("web") << " endpoints; " << cluster.replay();
    cluster.run_for(5s);
    const auto d = cluster.get("deployments/web");
    EXPECT_EQ(json::int_at(d, {"status", "availableReplicas"}), 10) << cluster.replay();
    EXPECT_EQ(json::int_at(d, {"status", "observedGeneration"}), json::int_at(d, {"metadata", "generation"}));
    expect_healthy(cluster);
  }
}

TEST(SimDeployment, is_quiet_when_all_is_done) {
  Cluster cluster({.seed = 3});
  cluster.apply(kService);
  cluster.apply(deployment(5));
  cluster.run_for(60s);
  const auto before = cluster.events();
  cluster.run_for(60s);
  // Three nodes renew their leases six times a minute; nothing else has a reason to write.
  EXPECT_LE(cluster.events() - before, 3u * 8) << cluster.replay();
}

TEST(SimDeployment, a_rolling_update_never_has_fewer_available_than_promised) {
  for (const uint64_t seed : seeds(5)) {
    Cluster cluster({.seed = seed});
    const std::string strategy = "strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 1}}";
    cluster.apply(deployment(8, "one", strategy));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 8; }, 60s)) << cluster.replay();
    cluster.check([&](const store::Event& event) {
      if (!event.entry->key.starts_with("core/pods/default/")) return;
      const int ready = cluster.ready_pods();
      const auto pods = cluster.list("pods");
      const auto alive = std::count_if(pods.begin(), pods.end(), [](const json::Value& pod) {
        return json::text_at(pod, {"metadata", "deletionTimestamp"}).empty();
      });
      if (ready < 7) cluster.violation(fmt::format("only {} ready", ready));
      if (alive > 10) cluster.violation(fmt::format("{} pods at once", alive));
    });
    cluster.apply(deployment(8, "two", strategy));
    const auto updated = [&] {
      const auto d = cluster.get("deployments/web");
      return json::int_at(d, {"status", "updatedReplicas"}) == 8 && json::int_at(d, {"status", "replicas"}) == 8 &&
             json::int_at(d, {"status", "availableReplicas"}) == 8;
    };
    EXPECT_TRUE(cluster.run_until(updated, 2min)) << cluster.replay();
    EXPECT_EQ(json::text_at(cluster.get("deployments/web"), {"metadata", "annotations", "deployment.kubernetes.io/revision"}), "2");
    expect_healthy(cluster);
  }
}

TEST(SimDeployment, a_broken_image_stops_the_rollout_and_undo_brings_it_back) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    cluster.apply(deployment(4, "one", "progressDeadlineSeconds: 60"));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 4; }, 60s)) << cluster.replay();
    cluster.apply(deployment(4, "broken", "progressDeadlineSeconds: 60"));
    cluster.run_for(90s);
    EXPECT_GE(cluster.ready_pods(), 3) << cluster.replay();
    const auto conditions = client::conditions_at(cluster.get("deployments/web"), {"status", "conditions"});
    const auto* progress = client::find_condition(conditions, "Progressing");
    ASSERT_TRUE(progress);
    EXPECT_EQ(progress->reason, "ProgressDeadlineExceeded") << cluster.replay();
    cluster.apply(deployment(4, "one", "progressDeadlineSeconds: 60"));
    const auto back = [&] {
      const auto d = cluster.get("deployments/web");
      return json::int_at(d, {"status", "availableReplicas"}) == 4 && json::int_at(d, {"status", "replicas"}) == 4;
    };
    EXPECT_TRUE(cluster.run_until(back, 60s)) << cluster.replay();
    EXPECT_EQ(json::text_at(cluster.get("deployments/web"), {"metadata", "annotations", "deployment.kubernetes.io/revision"}), "3");
    expect_healthy(cluster);
  }
}

TEST(SimDeployment, scales_up_and_down) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    for (const int replicas : {3, 40, 1, 0, 7}) {
      cluster.apply(deployment(replicas));
      const auto settled = [&] {
        return cluster.ready_pods() == replicas && static_cast<int>(cluster.list("pods").size()) == replicas;
      };
      EXPECT_TRUE(cluster.run_until(settled, 2min)) << replicas << ": " << cluster.list("pods").size() << "; " << cluster.replay();
    }
    expect_healthy(cluster);
  }
}

TEST(SimDeployment, recreate_never_runs_two_templates_at_once) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    cluster.apply(deployment(4, "one", "strategy: {type: Recreate}"));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 4; }, 60s)) << cluster.replay();
    cluster.check([&](const store::Event& event) {
      if (!event.entry->key.starts_with("core/pods/default/")) return;
      std::set<std::string> images;
      for (const auto& pod : cluster.list("pods"))
        images.insert(client::string_at(client::array_at(pod, {"spec", "containers"})[0], {"image"}));
      if (images.size() > 1) cluster.violation("two templates at once");
    });
    cluster.apply(deployment(4, "two", "strategy: {type: Recreate}"));
    EXPECT_TRUE(cluster.run_until([&] {
      return json::int_at(cluster.get("deployments/web"), {"status", "updatedReplicas"}) == 4 && cluster.ready_pods() == 4;
    }, 2min)) << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimNodeLoss, pods_move_when_their_time_is_up_and_return_is_harmless) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed, .nodes = {.nodes = 4}});
    cluster.apply(kService);
    cluster.apply(deployment(8));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 8; }, 60s)) << cluster.replay();
    const auto lost = cluster.pick_node();
    ASSERT_GT(cluster.endpoints("web", lost), 0) << "spread over all nodes; " << cluster.replay();
    cluster.nodes().power_off(lost);
    cluster.run_for(60s);  // 40 s of grace, and what follows from it
    EXPECT_EQ(cluster.endpoints("web", lost), 0) << cluster.replay();
    EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 8; }, 400s)) << cluster.replay();
    cluster.nodes().power_on(lost);
    cluster.run_for(60s);
    EXPECT_EQ(cluster.list("pods").size(), 8u) << "what was lost has gone; " << cluster.replay();
    EXPECT_TRUE(client::array_at(cluster.get("nodes/" + lost), {"spec", "taints"}).empty()) << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimNodeLoss, pods_of_a_removed_node_are_collected) {
  Cluster cluster({.seed = 7, .nodes = {.nodes = 3}});
  cluster.apply(deployment(6));
  ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 6; }, 60s)) << cluster.replay();
  const auto lost = cluster.pick_node();
  cluster.nodes().power_off(lost);
  cluster.remove("nodes/" + lost, "");
  EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 6 && cluster.ready_pods("default", lost) == 0; }, 2min))
      << cluster.replay();
  expect_healthy(cluster);
}

TEST(SimNamespace, deletion_empties_it_and_lets_it_go) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}");
    cluster.run_for(1s);
    EXPECT_FALSE(cluster.get("serviceaccounts/default", "shop").is_null()) << cluster.replay();
    auto web = deployment(5);
    web.replace(web.find("name: web"), 9, "namespace: shop, name: web");
    cluster.apply(web);
    cluster.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}, data: {a: b}}");
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods("shop") == 5; }, 60s)) << cluster.replay();
    cluster.remove("namespaces/shop", "");
    EXPECT_TRUE(cluster.run_until([&] { return cluster.get("namespaces/shop").is_null(); }, 60s)) << cluster.replay();
    for (const char* plural : {"pods", "replicasets", "deployments", "configmaps", "serviceaccounts"})
      EXPECT_TRUE(cluster.list(plural, "shop").empty()) << plural << "; " << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimGarbage, follows_each_way_of_deleting) {
  for (const uint64_t seed : seeds(3)) {
    Cluster cluster({.seed = seed});
    const auto counts = [&] {
      return fmt::format("{} deployments, {} sets, {} pods", cluster.list("deployments").size(),
                         cluster.list("replicasets").size(), cluster.list("pods").size());
    };
    cluster.apply(deployment(3));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 3; }, 60s)) << cluster.replay();
    cluster.remove("deployments/web", "default", client::Propagation::orphan);
    EXPECT_TRUE(cluster.run_until([&] { return cluster.list("deployments").empty(); }, 30s)) << cluster.replay();
    cluster.run_for(20s);
    EXPECT_EQ(counts(), "0 deployments, 1 sets, 3 pods") << cluster.replay();

    cluster.apply(deployment(3));  // adopts what was orphaned
    cluster.run_for(20s);
    EXPECT_EQ(counts(), "1 deployments, 1 sets, 3 pods") << cluster.replay();
    cluster.remove("deployments/web", "default", client::Propagation::foreground);
    bool foreground = true;
    cluster.check([&](const store::Event& event) {
      if (foreground && event.type == store::Event::Type::remove && event.entry->key == "apps/deployments/default/web" &&
          !cluster.list("replicasets").empty())
        cluster.violation("the deployment went before its sets");
    });
    EXPECT_TRUE(cluster.run_until([&] { return counts() == "0 deployments, 0 sets, 0 pods"; }, 60s)) << counts() << cluster.replay();
    foreground = false;

    cluster.apply(deployment(3));
    ASSERT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 3; }, 60s)) << cluster.replay();
    cluster.remove("deployments/web", "default", client::Propagation::background);
    EXPECT_TRUE(cluster.run_until([&] { return counts() == "0 deployments, 0 sets, 0 pods"; }, 60s)) << counts() << cluster.replay();
    expect_healthy(cluster);
  }
}

TEST(SimScheduler, pods_wait_for_room_and_take_it_when_it_comes) {
  Cluster cluster({.seed = 5, .nodes = {.nodes = 2, .cpus = 1}});
  auto big = deployment(5);
  big.replace(big.find("cpu: 50m"), 8, "cpu: 600m");
  cluster.apply(big);
  cluster.run_for(30s);
  EXPECT_EQ(cluster.ready_pods(), 2) << cluster.replay();
  std::string message;
  for (const auto& pod : cluster.list("pods")) {
    if (!json::text_at(pod, {"spec", "nodeName"}).empty()) continue;
    const auto conditions = client::conditions_at(pod, {"status", "conditions"});
    const auto* scheduled = client::find_condition(conditions, "PodScheduled");
    if (scheduled) message = scheduled->message;
  }
  EXPECT_TRUE(message.starts_with("0/2 nodes are available: 2 Insufficient cpu.")) << message;
  for (const char* name : {"extra-1", "extra-2", "extra-3"}) cluster.nodes().add_node(name);
  EXPECT_TRUE(cluster.run_until([&] { return cluster.ready_pods() == 5; }, 30s)) << cluster.replay();
  expect_healthy(cluster);
}

TEST(SimTrace, the_same_seed_gives_the_same_history) {
  const auto run = [](uint64_t seed) {
    Cluster cluster({.seed = seed, .nodes = {.nodes = 5}});
    cluster.apply(kService);
    cluster.apply(deployment(12));
    cluster.run_for(10s);
    cluster.nodes().power_off(cluster.pick_node());
    cluster.apply(deployment(6, "two"));
    cluster.run_for(2min);
    return std::pair(cluster.trace_hash(), cluster.events());
  };
  const auto first = run(11);
  EXPECT_EQ(first, run(11));
  EXPECT_NE(first.first, run(12).first);
}

}  // namespace
}  // namespace kinglet::sim
