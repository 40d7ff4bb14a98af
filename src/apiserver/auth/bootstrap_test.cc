#include "apiserver/auth/bootstrap.h"

#include "apiserver/testing/secured_world.h"

namespace kinglet::apiserver {
namespace {

using testing::SecuredWorld;

TEST(Bootstrap, makes_what_every_cluster_has) {
  SecuredWorld world;
  for (const char* target : {
           "/api/v1/namespaces/default",
           "/api/v1/namespaces/kube-system",
           "/api/v1/namespaces/kube-public",
           "/api/v1/namespaces/kube-node-lease",
           "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical",
           "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin",
           "/apis/rbac.authorization.k8s.io/v1/clusterroles/view",
           "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:discovery",
           "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/"
           "extension-apiserver-authentication-reader",
           "/api/v1/namespaces/default/services/kubernetes",
           "/api/v1/namespaces/default/endpoints/kubernetes",
           "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes",
       }) {
    const auto got = world.admin("GET", target);
    EXPECT_EQ(got->status, 200) << target << ": " << got->text;
  }
  const auto view =
      world.admin("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view")->json();
  EXPECT_GT(view.at("rules").as_array().size(), 5u)
      << "people read the rules of an aggregated role too";
  const auto service = world.admin("GET", "/api/v1/namespaces/default/services/kubernetes")->json();
  EXPECT_EQ(json::text_at(service, {"spec", "clusterIP"}), "10.43.0.1");
}

TEST(Bootstrap, changes_nothing_the_second_time) {
  SecuredWorld world;
  const auto before = world.store->current();
  ApiAddress api;
  api.address = "192.0.2.1";
  EXPECT_TRUE(world.run(bootstrap_cluster(*world.registry, api)));
  EXPECT_EQ(world.store->current(), before);
}

TEST(Bootstrap, mends_roles_that_lost_something_unless_told_not_to) {
  SecuredWorld world;
  const std::string target = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user";
  auto role = world.admin("GET", target)->json();
  role.as_object()["rules"] = json::Array();
  ASSERT_EQ(world.admin("PUT", target, json::print(role))->status, 200);
  EXPECT_TRUE(world.run(bootstrap_cluster(*world.registry, ApiAddress())));
  role = world.admin("GET", target)->json();
  EXPECT_FALSE(role.at("rules").as_array().empty());

  role.as_object()["rules"] = json::Array();
  role.as_object()["metadata"]
      .as_object()["annotations"]
      .as_object()["rbac.authorization.kubernetes.io/autoupdate"] = "false";
  ASSERT_EQ(world.admin("PUT", target, json::print(role))->status, 200);
  EXPECT_TRUE(world.run(bootstrap_cluster(*world.registry, ApiAddress())));
  role = world.admin("GET", target)->json();
  const auto* rules = json::find(role, {"rules"});
  EXPECT_TRUE(!rules || !rules->is_array() || rules->as_array().empty());
}

TEST(Bootstrap, follows_the_servers_address) {
  SecuredWorld world;
  ApiAddress api;
  for (const char* address : {"192.0.2.9", "2001:db8::9"}) {
    api.address = address;
    const auto done = world.run(publish_api_address(*world.registry, api));
    ASSERT_TRUE(done) << done.error().message();
    const auto slice =
        world
            .admin("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
            ->json();
    EXPECT_EQ(json::print(slice.at("endpoints").as_array()[0].at("addresses")),
              fmt::format("[\"{}\"]", address));
    const auto endpoints =
        world.admin("GET", "/api/v1/namespaces/default/endpoints/kubernetes")->json();
    EXPECT_NE(json::print(endpoints).find(address), std::string::npos);
  }
}

TEST(ReconcileRbac, keeps_what_people_added) {
  const auto wanted =
      json::parse(R"({"metadata":{"labels":{"a":"b"}},"roleRef":{"kind":"ClusterRole","name":"r"},
      "subjects":[{"kind":"User","name":"x","apiGroup":"g"}]})")
          .value();
  const auto stored =
      json::parse(R"({"metadata":{"labels":{"a":"b"}},"roleRef":{"kind":"ClusterRole","name":"r"},
      "subjects":[{"kind":"User","name":"mine","apiGroup":"g"}]})")
          .value();
  const auto mended = reconcile_rbac(stored, wanted);
  ASSERT_TRUE(mended);
  EXPECT_EQ(mended->at("subjects").as_array().size(), 2u);
  EXPECT_FALSE(reconcile_rbac(*mended, wanted));
}

}  // namespace
}  // namespace kinglet::apiserver
