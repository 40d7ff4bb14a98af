#include <gtest/gtest.h>

#include "apiserver/testing/kinds_world.h"

namespace kinglet::apiserver {
namespace {

using testing::KindsWorld;
using testing::message;

std::string pod(const std::string& name, const std::string& more = "") {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + name +
         R"("},"spec":{"containers":[{"name":"c","image":"i"}])" + more + "}}";
}

TEST(NamespaceLifecycle, keeps_content_out_of_missing_and_going_namespaces) {
  KindsWorld world;
  const auto missing = world.post("/api/v1/namespaces/ghost/pods", pod("p"));
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(message(*missing), "namespaces \"ghost\" not found");

  EXPECT_EQ(world.remove("/api/v1/namespaces/n")->status, 200);
  const auto going = world.post("/api/v1/namespaces/n/pods", pod("p"));
  EXPECT_EQ(going->status, 403);
  EXPECT_EQ(message(*going),
            "pods \"p\" is forbidden: unable to create new content in namespace n because it is "
            "being terminated");
  const auto status = going->json();
  EXPECT_EQ(json::text_at(json::find(status, {"details", "causes"})->get_array().at(0), {"reason"}),
            "NamespaceTerminating");
}

TEST(NamespaceLifecycle, lets_no_one_delete_the_first_namespaces) {
  KindsWorld world;
  for (const std::string name : {"default", "kube-system", "kube-public"}) {
    world.post("/api/v1/namespaces",
               R"({"kind":"Namespace","apiVersion":"v1","metadata":{"name":")" + name + "\"}}");
    const auto answer = world.remove("/api/v1/namespaces/" + name);
    EXPECT_EQ(answer->status, 403);
    EXPECT_EQ(message(*answer),
              "namespaces \"" + name + "\" is forbidden: this namespace may not be deleted");
  }
}

TEST(Priority, comes_from_the_class) {
  KindsWorld world;
  const auto make_class = [&](const std::string& name, int value, bool is_default) {
    return world.post(
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        R"({"kind":"PriorityClass","apiVersion":"scheduling.k8s.io/v1","metadata":{"name":")" +
            name + R"("},"value":)" + std::to_string(value) + R"(,"globalDefault":)" +
            (is_default ? "true" : "false") + R"(,"preemptionPolicy":"Never"})");
  };
  EXPECT_EQ(make_class("high", 1000, false)->status, 201);
  EXPECT_EQ(make_class("usual", 10, true)->status, 201);
  EXPECT_EQ(message(*make_class("second", 11, true)),
            "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is "
            "already marked as default. "
            "Only one default can exist");
  const auto high =
      world.make("/api/v1/namespaces/n/pods", pod("h", R"(,"priorityClassName":"high")"));
  EXPECT_EQ(json::int_at(high, {"spec", "priority"}), 1000);
  EXPECT_EQ(json::text_at(high, {"spec", "preemptionPolicy"}), "Never");
  const auto usual = world.make("/api/v1/namespaces/n/pods", pod("u"));
  EXPECT_EQ(json::int_at(usual, {"spec", "priority"}), 10);
  EXPECT_EQ(json::text_at(usual, {"spec", "priorityClassName"}), "usual");
  const auto system = world.make("/api/v1/namespaces/n/pods",
                                 pod("s", R"(,"priorityClassName":"system-node-critical")"));
  EXPECT_EQ(json::int_at(system, {"spec", "priority"}), 2000001000);
  const auto forged = world.post("/api/v1/namespaces/n/pods", pod("f", R"(,"priority":5)"));
  EXPECT_EQ(forged->status, 403);
}

TEST(DefaultTolerations, are_added_unless_the_pod_has_its_own) {
  KindsWorld world;
  const auto own = world.make(
      "/api/v1/namespaces/n/pods",
      pod("p",
          R"(,"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":5}])"));
  const auto& tolerations = json::find(own, {"spec", "tolerations"})->get_array();
  ASSERT_EQ(tolerations.size(), 2u);
  EXPECT_EQ(json::int_at(tolerations[0], {"tolerationSeconds"}), 5);
  EXPECT_EQ(json::text_at(tolerations[1], {"key"}), "node.kubernetes.io/unreachable");
}

TEST(Nodes, begin_tainted_until_they_are_ready) {
  KindsWorld world;
  const auto node =
      world.make("/api/v1/nodes", R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"x"}})");
  const auto& taint = json::find(node, {"spec", "taints"})->get_array().at(0);
  EXPECT_EQ(json::text_at(taint, {"key"}), "node.kubernetes.io/not-ready");
}

TEST(DefaultClasses, fill_in_what_is_not_said) {
  KindsWorld world;
  world.make(
      "/apis/storage.k8s.io/v1/storageclasses",
      R"({"kind":"StorageClass","apiVersion":"storage.k8s.io/v1","metadata":{"name":"local","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},"provisioner":"p"})");
  const auto claim = [&](const std::string& name, const std::string& more) {
    return world.make(
        "/api/v1/namespaces/n/persistentvolumeclaims",
        R"({"kind":"PersistentVolumeClaim","apiVersion":"v1","metadata":{"name":")" + name +
            R"("},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}})" +
            more + "}}");
  };
  EXPECT_EQ(json::text_at(claim("a", ""), {"spec", "storageClassName"}), "local");
  EXPECT_EQ(json::text_at(claim("b", R"(,"storageClassName":"")"), {"spec", "storageClassName"}),
            "");
}

TEST(ServiceAccounts, lend_their_pull_secrets) {
  KindsWorld world;
  world.make(
      "/api/v1/namespaces/n/serviceaccounts",
      R"({"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"sa"},"imagePullSecrets":[{"name":"s"}],"automountServiceAccountToken":false})");
  const auto made =
      world.make("/api/v1/namespaces/n/pods", pod("p", R"(,"serviceAccountName":"sa")"));
  EXPECT_EQ(*json::find(made, {"spec", "imagePullSecrets"}), *json::parse(R"([{"name":"s"}])"));
  EXPECT_EQ(json::find(made, {"spec", "volumes"}), nullptr);
}

}  // namespace
}  // namespace kinglet::apiserver
