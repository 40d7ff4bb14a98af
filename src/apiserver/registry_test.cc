// Writes through the whole request path, over the memory store.
#include <gtest/gtest.h>

#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT

constexpr const char* kMaps = "/api/v1/namespaces/default/configmaps";
constexpr const char* kPods = "/api/v1/namespaces/default/pods";
constexpr const char* kDeployments = "/apis/apps/v1/namespaces/default/deployments";

TEST(Create, gives_uid_time_and_revision) {
  ApiWorld world;
  const auto made = world.post(kMaps, config_map("a"));
  ASSERT_EQ(made->status, 201) << made->text;
  EXPECT_EQ(made->headers.get("Content-Type"), "application/json");
  EXPECT_EQ(made->headers.get("Cache-Control"), "no-cache, private");
  EXPECT_NE(made->headers.get("Audit-Id"), "");
  const auto object = made->json();
  EXPECT_EQ(json::text_at(object, {"metadata", "namespace"}), "default");
  EXPECT_EQ(json::text_at(object, {"metadata", "creationTimestamp"}), "2026-01-02T03:04:05Z");
  EXPECT_EQ(json::text_at(object, {"metadata", "uid"}).size(), 36u);
  const auto got = world.get(std::string(kMaps) + "/a");
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->text, made->text) << "what was answered is what is stored";
  EXPECT_EQ(revision_of(*got), std::to_string(world.store->current()));
}

TEST(Create, finds_another_name_when_the_generated_one_is_taken) {
  ApiWorld world;
  const std::string body = R"({"metadata":{"generateName":"web-"}})";
  for (int i = 0; i < 20; ++i) {
    const auto made = world.post(kMaps, body);
    ASSERT_EQ(made->status, 201) << made->text;
    EXPECT_EQ(json::text_at(made->json(), {"metadata", "name"}).size(), 9u);
  }
}

TEST(Create, dry_run_stores_nothing) {
  ApiWorld world;
  const auto before = world.store->current();
  const auto made = world.post(std::string(kMaps) + "?dryRun=All", config_map("a"));
  EXPECT_EQ(made->status, 201);
  EXPECT_EQ(revision_of(*made), "");
  EXPECT_NE(json::text_at(made->json(), {"metadata", "uid"}), "");
  EXPECT_EQ(world.store->current(), before);
  world.post(kMaps, config_map("a"));
  EXPECT_EQ(world.post(std::string(kMaps) + "?dryRun=All", config_map("a"))->status, 409);
}

TEST(Update, replaces_checks_the_revision_and_skips_no_ops) {
  ApiWorld world;
  world.post(kMaps, config_map("a", "1"));
  const std::string url = std::string(kMaps) + "/a";
  const auto second = world.put(url, config_map("a", "2"));
  ASSERT_EQ(second->status, 200) << second->text;
  const auto revision = world.store->current();
  EXPECT_EQ(world.put(url, config_map("a", "2"))->text, second->text);
  EXPECT_EQ(world.store->current(), revision) << "a no-op writes nothing";
  const auto stale = world.put(url, config_map("a", "3", R"(,"resourceVersion":"1")"));
  EXPECT_EQ(stale->status, 409);
  EXPECT_EQ(message(*stale),
            "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; "
            "please apply your "
            "changes to the latest version and try again");
  const auto right = fmt::format(R"(,"resourceVersion":"{}")", revision);
  EXPECT_EQ(world.put(url, config_map("a", "3", right))->status, 200);
  const auto other_uid = world.put(url, config_map("a", "4", R"(,"uid":"other")"));
  EXPECT_EQ(other_uid->status, 409) << other_uid->text;
}

TEST(Update, creates_the_kinds_that_allow_it) {
  ApiWorld world;
  const std::string lease =
      R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":"l"},"spec":{"holderIdentity":"x"}})";
  EXPECT_EQ(world.put("/apis/coordination.k8s.io/v1/namespaces/default/leases/l", lease)->status,
            201);
  EXPECT_EQ(world.put(std::string(kMaps) + "/none", config_map("none"))->status, 404);
}

TEST(Update, counts_generations_of_the_spec_alone) {
  ApiWorld world;
  world.post(kDeployments, deployment("d", 1));
  const std::string url = std::string(kDeployments) + "/d";
  const auto generation = [&] {
    return json::int_at(world.get(url)->json(), {"metadata", "generation"});
  };
  EXPECT_EQ(generation(), 1);
  EXPECT_EQ(world.patch(url, R"({"metadata":{"labels":{"x":"y"}}})")->status, 200);
  EXPECT_EQ(generation(), 1);
  EXPECT_EQ(world.patch(url + "/status", R"({"status":{"replicas":1}})")->status, 200);
  EXPECT_EQ(generation(), 1);
  EXPECT_EQ(json::int_at(world.get(url)->json(), {"status", "replicas"}), 1);
  EXPECT_EQ(world.put(url, deployment("d", 3))->status, 200);
  EXPECT_EQ(generation(), 2);
  EXPECT_EQ(json::int_at(world.get(url)->json(), {"status", "replicas"}), 1)
      << "the spec's path keeps the status";
}

TEST(Status, keeps_the_spec) {
  ApiWorld world;
  world.post(kDeployments, deployment("d", 1));
  const std::string url = std::string(kDeployments) + "/d";
  const auto patched =
      world.patch(url + "/status", R"({"spec":{"replicas":9},"status":{"readyReplicas":4}})");
  ASSERT_EQ(patched->status, 200) << patched->text;
  EXPECT_EQ(json::int_at(patched->json(), {"spec", "replicas"}), 1);
  EXPECT_EQ(json::int_at(patched->json(), {"status", "readyReplicas"}), 4);
}

TEST(Patch, takes_three_types) {
  ApiWorld world;
  world.post(kDeployments, deployment("d", 1));
  const std::string url = std::string(kDeployments) + "/d";
  EXPECT_EQ(
      world.patch(url, R"([{"op":"replace","path":"/spec/replicas","value":2}])", "json")->status,
      200);
  EXPECT_EQ(world.patch(url, R"({"metadata":{"labels":{"m":"1"}}})", "merge")->status, 200);
  const auto strategic = world.patch(
      url, R"({"spec":{"template":{"spec":{"containers":[{"name":"side","image":"j"}]}}}})",
      "strategic-merge");
  ASSERT_EQ(strategic->status, 200) << strategic->text;
  const auto object = strategic->json();
  EXPECT_EQ(json::int_at(object, {"spec", "replicas"}), 2);
  EXPECT_EQ(json::text_at(object, {"metadata", "labels", "m"}), "1");
  EXPECT_EQ(json::find(object, {"spec", "template", "spec", "containers"})->get_array().size(), 2u);
  EXPECT_EQ(world.patch(url, "{}", "apply")->status, 415);
  EXPECT_EQ(world.patch(url, R"({"metadata":{"resourceVersion":"1"}})")->status, 409);
}

TEST(Delete, answers_as_the_kind_does) {
  ApiWorld world;
  world.post(kMaps, config_map("a"));
  world.post(kPods, pod("p"));
  const auto map = world.remove(std::string(kMaps) + "/a");
  EXPECT_EQ(map->status, 200);
  EXPECT_EQ(json::text_at(map->json(), {"status"}), "Success");
  EXPECT_EQ(json::text_at(map->json(), {"details", "kind"}), "configmaps");
  const auto gone = world.remove(std::string(kPods) + "/p");
  EXPECT_EQ(json::text_at(gone->json(), {"kind"}), "Pod");
  EXPECT_EQ(world.get(std::string(kPods) + "/p")->status, 404);
}

TEST(Delete, waits_for_grace_and_finalizers) {
  ApiWorld world;
  world.post(kPods, pod("p", "n"));
  const std::string url = std::string(kPods) + "/p";
  const auto marked = world.remove(url);
  EXPECT_EQ(json::int_at(marked->json(), {"metadata", "deletionGracePeriodSeconds"}), 30)
      << marked->text;
  EXPECT_EQ(world.get(url)->status, 200);
  EXPECT_EQ(
      world.remove(url, R"({"gracePeriodSeconds":0,"preconditions":{"uid":"other"}})")->status,
      409);
  EXPECT_EQ(world.remove(url, R"({"gracePeriodSeconds":0})")->status, 200);
  EXPECT_EQ(world.get(url)->status, 404);

  world.post(kMaps, config_map("kept", "v", R"(,"finalizers":["example.com/f"])"));
  const std::string kept = std::string(kMaps) + "/kept";
  EXPECT_NE(json::text_at(world.remove(kept)->json(), {"metadata", "deletionTimestamp"}), "");
  EXPECT_EQ(
      world.patch(kept, R"({"metadata":{"finalizers":["example.com/f","example.com/g"]}})")->status,
      422);
  EXPECT_EQ(world.patch(kept, R"({"metadata":{"finalizers":null}})")->status, 200);
  EXPECT_EQ(world.get(kept)->status, 404) << "the last finalizer has gone, and the object with it";
}

TEST(Delete, takes_collections_by_selector) {
  ApiWorld world;
  world.post(kMaps, config_map("a", "v", R"(,"labels":{"x":"1"})"));
  world.post(kMaps, config_map("b"));
  EXPECT_EQ(world.remove(std::string(kMaps) + "?labelSelector=x%3D1")->status, 200);
  EXPECT_EQ(world.get(std::string(kMaps) + "/a")->status, 404);
  EXPECT_EQ(world.get(std::string(kMaps) + "/b")->status, 200);
}

TEST(Scale, changes_the_replicas_alone) {
  ApiWorld world;
  world.post(kDeployments, deployment("d", 1));
  const std::string url = std::string(kDeployments) + "/d/scale";
  const auto scale = world.get(url)->json();
  EXPECT_EQ(json::text_at(scale, {"kind"}), "Scale");
  EXPECT_EQ(json::int_at(scale, {"spec", "replicas"}), 1);
  EXPECT_EQ(json::text_at(scale, {"status", "selector"}), "a=b");
  const auto put = world.put(
      url,
      R"({"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"d"},"spec":{"replicas":5}})");
  EXPECT_EQ(put->status, 200) << put->text;
  EXPECT_EQ(json::int_at(put->json(), {"spec", "replicas"}), 5);
  EXPECT_EQ(world.patch(url, R"({"spec":{"replicas":6}})")->status, 200);
  EXPECT_EQ(json::int_at(world.get(std::string(kDeployments) + "/d")->json(), {"spec", "replicas"}),
            6);
  EXPECT_EQ(world.patch(url, R"({"spec":{"replicas":-1}})")->status, 422);
  EXPECT_EQ(world.get(std::string(kMaps) + "/a/scale")->status, 404);
}

TEST(Binding, assigns_a_pod_once) {
  ApiWorld world;
  world.post(kPods, pod("p"));
  const std::string url = std::string(kPods) + "/p/binding";
  const std::string body =
      R"({"kind":"Binding","apiVersion":"v1","metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}})";
  const auto bound = world.post(url, body);
  EXPECT_EQ(bound->status, 201) << bound->text;
  EXPECT_EQ(json::text_at(bound->json(), {"status"}), "Success");
  const auto object = world.get(std::string(kPods) + "/p")->json();
  EXPECT_EQ(json::text_at(object, {"spec", "nodeName"}), "n1");
  EXPECT_EQ(json::text_at(json::find(object, {"status", "conditions"})->get_array()[0], {"type"}),
            "PodScheduled");
  const auto again = world.post(url, body);
  EXPECT_EQ(again->status, 409);
  EXPECT_EQ(message(*again),
            "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to "
            "node \"n1\"");
  world.post(kPods, pod("q"));
  EXPECT_EQ(world
                .post("/api/v1/namespaces/default/bindings",
                      R"({"metadata":{"name":"q"},"target":{"name":"n2"}})")
                ->status,
            201);
}

TEST(Eviction, asks_the_disruption_budget) {
  ApiWorld world;
  world.post(kPods, pod("p", "n", R"(,"labels":{"app":"x"})"));
  world.patch(std::string(kPods) + "/p/status",
              R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
  const std::string budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  EXPECT_EQ(
      world
          .post(
              budgets,
              R"({"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"x"}}}})")
          ->status,
      201);
  const std::string url = std::string(kPods) + "/p/eviction";
  const std::string eviction =
      R"({"kind":"Eviction","apiVersion":"policy/v1","metadata":{"name":"p"}})";
  const auto early = world.post(url, eviction);
  EXPECT_EQ(early->status, 429);
  EXPECT_EQ(early->headers.get("Retry-After"), "10");
  world.patch(
      budgets + "/b/status",
      R"({"status":{"observedGeneration":1,"disruptionsAllowed":0,"desiredHealthy":1,"currentHealthy":1,"expectedPods":1}})");
  const auto blocked = world.post(url, eviction);
  EXPECT_EQ(blocked->status, 429) << blocked->text;
  EXPECT_EQ(message(*blocked), "Cannot evict pod as it would violate the pod's disruption budget.");
  world.patch(budgets + "/b/status", R"({"status":{"disruptionsAllowed":1}})");
  const auto done = world.post(url, eviction);
  EXPECT_EQ(done->status, 201) << done->text;
  EXPECT_NE(json::text_at(world.get(std::string(kPods) + "/p")->json(),
                          {"metadata", "deletionTimestamp"}),
            "");
  EXPECT_EQ(json::int_at(world.get(budgets + "/b")->json(), {"status", "disruptionsAllowed"}, -1),
            0);
}

TEST(Namespaces, go_when_their_finalizers_have_gone) {
  ApiWorld world;
  world.post("/api/v1/namespaces",
             R"({"metadata":{"name":"x"},"spec":{"finalizers":["kubernetes"]}})");
  const auto marked = world.remove("/api/v1/namespaces/x");
  EXPECT_EQ(json::text_at(marked->json(), {"status", "phase"}), "Terminating") << marked->text;
  const auto finalized = world.put("/api/v1/namespaces/x/finalize",
                                   R"({"metadata":{"name":"x"},"spec":{"finalizers":[]}})");
  EXPECT_EQ(finalized->status, 200) << finalized->text;
  EXPECT_EQ(world.get("/api/v1/namespaces/x")->status, 404);
}

TEST(Garbage, is_refused_wherever_it_goes) {
  ApiWorld world;
  world.post(kDeployments, deployment("d", 1));
  world.post(kPods, pod("p"));
  const std::string d = std::string(kDeployments) + "/d";
  const std::string p = std::string(kPods) + "/p";
  const char* bodies[] = {"",
                          "{",
                          "7",
                          "[]",
                          "null",
                          R"({"metadata":7})",
                          R"({"metadata":[]})",
                          R"({"metadata":{"name":{}}})",
                          R"({"metadata":{"name":"d"},"spec":3})",
                          R"({"metadata":{"name":"p"},"target":4})",
                          R"({"kind":3})"};
  for (const char* body : bodies) {
    SCOPED_TRACE(body);
    for (const auto& target : {d, d + "/status", d + "/scale"}) {
      const auto put = world.put(target, body);
      EXPECT_TRUE(put->status == 400 || put->status == 422) << put->text;
    }
    for (const auto& target : {p + "/binding", p + "/eviction", std::string(kPods)}) {
      const auto post = world.post(target, body);
      EXPECT_TRUE(post->status == 400 || post->status == 422 || post->status == 201) << post->text;
    }
    for (const char* type : {"json", "merge", "strategic-merge"}) {
      const auto patch = world.patch(d, body, type);
      EXPECT_TRUE(patch->status == 400 || patch->status == 422 || patch->status == 200)
          << patch->text;
      EXPECT_NE(world.patch(d + "/scale", body, type)->status, 500);
    }
    const auto removed = world.remove(d + "x", body);
    EXPECT_TRUE(removed->status == 400 || removed->status == 404) << removed->text;
  }
  for (const char* patch :
       {R"([{"op":"replace","path":"","value":5}])", R"([{"op":"remove","path":"/metadata"}])",
        R"([{"op":"replace","path":"/metadata","value":[]}])",
        R"([{"op":"remove","path":"/kind"}])", R"([{"op":"test","path":"/kind","value":"Pod"}])",
        R"([{"op":"add","path":"/x/y/z","value":1}])"})
    EXPECT_NE(world.patch(d, patch, "json")->status, 500) << patch;
  EXPECT_EQ(world.get(d)->status, 200);
}

TEST(SharedForms, show_events_in_both_groups) {
  ApiWorld world;
  const auto made = world.post(
      "/apis/events.k8s.io/v1/namespaces/default/events",
      R"({"metadata":{"name":"e"},"eventTime":"2026-01-02T03:04:05.000000Z","reportingController":"c","reportingInstance":"i","action":"a","reason":"R","regarding":{"kind":"Pod","name":"p","namespace":"default"},"note":"hello","type":"Normal"})");
  ASSERT_EQ(made->status, 201) << made->text;
  EXPECT_EQ(json::text_at(made->json(), {"note"}), "hello");
  const auto core = world.get("/api/v1/namespaces/default/events/e")->json();
  EXPECT_EQ(json::text_at(core, {"apiVersion"}), "v1");
  EXPECT_EQ(json::text_at(core, {"message"}), "hello");
  EXPECT_EQ(json::text_at(core, {"involvedObject", "name"}), "p");
  const auto listed =
      world.get("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp")->json();
  EXPECT_EQ(listed.at("items").get_array().size(), 1u);
}

TEST(SharedForms, show_autoscalers_in_both_versions) {
  ApiWorld world;
  const auto made = world.post(
      "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
      R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d","apiVersion":"apps/v1"},"maxReplicas":3,"targetCPUUtilizationPercentage":70}})");
  ASSERT_EQ(made->status, 201) << made->text;
  EXPECT_EQ(json::int_at(made->json(), {"spec", "targetCPUUtilizationPercentage"}), 70);
  const auto v2 =
      world.get("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h")->json();
  const auto& metric = v2.at("spec").at("metrics").get_array()[0];
  EXPECT_EQ(json::int_at(metric, {"resource", "target", "averageUtilization"}), 70);
}

TEST(Events, are_forgotten_after_an_hour) {
  ApiWorld world;
  const std::string event =
      R"({{"metadata":{{"name":"{}","namespace":"default"}},"involvedObject":{{"namespace":"default"}},"lastTimestamp":"{}"}})";
  const std::string events = "/api/v1/namespaces/default/events";
  ASSERT_EQ(
      world.post(events, fmt::format(fmt::runtime(event), "old", "2026-01-02T02:03:05Z"))->status,
      201);
  ASSERT_EQ(
      world.post(events, fmt::format(fmt::runtime(event), "new", "2026-01-02T03:04:05Z"))->status,
      201);
  TaskGroup group;
  group.add("events", world.registry->expire_events());
  auto task = group.run();
  boost::asio::co_spawn(world.loop, std::move(task), [](std::exception_ptr, Result<void>) {});
  world.clock->run_until(world.loop, world.clock->now() + 6min);
  group.cancel();
  world.clock->run_until(world.loop, world.clock->now() + 1s);
  EXPECT_EQ(world.get(events + "/old")->status, 404);
  EXPECT_EQ(world.get(events + "/new")->status, 200);
}

}  // namespace
}  // namespace kinglet::apiserver
