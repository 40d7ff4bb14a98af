#include "apiserver/auth/authorizer.h"

#include "apiserver/testing/secured_world.h"

namespace kinglet::apiserver {
namespace {

using testing::SecuredWorld;

constexpr const char* kRbac = "/apis/rbac.authorization.k8s.io/v1";

std::string cluster_role(const std::string& name, const std::string& rules,
                         const std::string& metadata = "", const std::string& more = "") {
  return fmt::format(
      R"({{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{{"name":"{}"{}}},"rules":{}{}}})",
      name, metadata, rules, more);
}
std::string binding(const std::string& kind, const std::string& name, const std::string& role_kind,
                    const std::string& role, const std::string& subject) {
  return fmt::format(
      R"({{"kind":"{}","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{{"name":"{}"}},"roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"{}","name":"{}"}},"subjects":[{}]}})",
      kind, name, role_kind, role, subject);
}
std::string user_subject(const std::string& name) {
  return fmt::format(R"({{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"{}"}})",
                     name);
}
User person(const std::string& name, std::vector<std::string> groups = {}) {
  groups.push_back("system:authenticated");
  return {name, "", groups, {}};
}

class Rbac : public ::testing::Test {
 protected:
  void bind_cluster(const std::string& name, const std::string& role, const std::string& subject) {
    world.make(std::string(kRbac) + "/clusterrolebindings",
               binding("ClusterRoleBinding", name, "ClusterRole", role, subject));
  }
  void bind_in(const std::string& ns, const std::string& name, const std::string& role_kind,
               const std::string& role, const std::string& subject) {
    world.make(fmt::format("{}/namespaces/{}/rolebindings", kRbac, ns),
               binding("RoleBinding", name, role_kind, role, subject));
  }
  SecuredWorld world;
};

TEST_F(Rbac, roles_are_in_force_as_soon_as_they_are_written_and_no_longer_than_they_exist) {
  const auto jane = person("jane");
  EXPECT_FALSE(world.may(jane, "list", "pods", "default"));
  bind_in("default", "jane-views", "ClusterRole", "view", user_subject("jane"));
  EXPECT_TRUE(world.may(jane, "list", "pods", "default"));
  EXPECT_FALSE(world.may(jane, "list", "pods", "kube-system"))
      << "a RoleBinding reaches its namespace";
  EXPECT_FALSE(world.may(jane, "list", "pods")) << "and not all namespaces at once";
  EXPECT_FALSE(world.may(jane, "get", "secrets", "default", "x"));
  const auto gone =
      world.admin("DELETE", std::string(kRbac) + "/namespaces/default/rolebindings/jane-views");
  ASSERT_EQ(gone->status, 200);
  EXPECT_FALSE(world.may(jane, "list", "pods", "default"));
}

TEST_F(Rbac, built_in_roles_aggregate) {
  bind_cluster("ada", "admin", user_subject("ada"));
  const auto ada = person("ada");
  EXPECT_TRUE(world.may(ada, "list", "pods", "default")) << "view through edit";
  EXPECT_TRUE(world.may(ada, "create", "deployments", "default", "", "apps")) << "edit";
  EXPECT_TRUE(world.may(ada, "create", "rolebindings", "default", "", "rbac.authorization.k8s.io"))
      << "admin";
  EXPECT_FALSE(world.may(ada, "create", "clusterroles", "", "", "rbac.authorization.k8s.io"));
  EXPECT_FALSE(world.may(ada, "list", "widgets", "default", "", "acme.com"));
  world.make(
      std::string(kRbac) + "/clusterroles",
      cluster_role("widget-view",
                   R"([{"apiGroups":["acme.com"],"resources":["widgets"],"verbs":["list"]}])",
                   R"(,"labels":{"rbac.authorization.k8s.io/aggregate-to-view":"true"})"));
  EXPECT_TRUE(world.may(ada, "list", "widgets", "default", "", "acme.com")) << "two levels down";
}

TEST_F(Rbac, service_accounts_are_subjects_of_their_own) {
  bind_cluster("robots", "view", R"({"kind":"ServiceAccount","name":"robot","namespace":"ci"})");
  EXPECT_TRUE(world.may(person("system:serviceaccount:ci:robot"), "list", "pods", "default"));
  EXPECT_FALSE(world.may(person("system:serviceaccount:other:robot"), "list", "pods", "default"));
  EXPECT_FALSE(world.may(person("robot"), "list", "pods", "default"));
  EXPECT_FALSE(world.may(person("system:serviceaccount:ci:robot:x"), "list", "pods", "default"));
}

TEST_F(Rbac, reasons_name_the_binding) {
  bind_cluster("jane-all", "cluster-admin", user_subject("jane"));
  Attributes a;
  a.verb = "get";
  a.resource = "nodes";
  EXPECT_EQ(
      world.authorizer->authorize(person("jane"), a).reason,
      R"(RBAC: allowed by ClusterRoleBinding "jane-all" of ClusterRole "cluster-admin" to User "jane")");
  bind_cluster("dangling", "missing", user_subject("joe"));
  const auto refused = world.authorizer->authorize(person("joe"), a);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.reason, R"(RBAC: clusterrole.rbac.authorization.k8s.io "missing" not found)");
}

TEST_F(Rbac, everybody_may_ask_what_the_server_is) {
  Attributes a;
  a.is_resource = false;
  a.verb = "get";
  for (const char* path : {"/api", "/apis/apps/v1", "/openapi/v3", "/version", "/healthz"}) {
    a.path = path;
    EXPECT_TRUE(world.authorizer->authorize(person("jane"), a).allowed) << path;
  }
  const User anonymous{"system:anonymous", "", {"system:unauthenticated"}, {}};
  for (const char* path : {"/healthz", "/livez", "/readyz", "/version", "/cacerts"}) {
    a.path = path;
    EXPECT_TRUE(world.authorizer->authorize(anonymous, a).allowed) << path;
  }
  for (const char* path : {"/metrics", "/api", "/healthz/../metrics"}) {
    a.path = path;
    EXPECT_FALSE(world.authorizer->authorize(anonymous, a).allowed) << path;
  }
}

class Escalation : public Rbac {
 protected:
  void SetUp() override {
    // A person who may write roles and bindings everywhere and read pods; nothing else.
    world.make(std::string(kRbac) + "/clusterroles",
               cluster_role("keeper",
                            R"([{"apiGroups":["rbac.authorization.k8s.io"],"resources":["*"],)"
                            R"("verbs":["get","create","update","patch","delete"]},)"
                            R"({"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]}])"));
    bind_cluster("keeper", "keeper", user_subject("keeper"));
  }
  int write(const std::string& target, const std::string& body,
            const std::string& method = "POST") {
    const auto done = world.as("keeper", {}, method, std::string(kRbac) + target, body);
    last = done->text;
    return done->status;
  }
  std::string last;
};

TEST_F(Escalation, nobody_writes_a_role_beyond_what_they_hold) {
  EXPECT_EQ(
      write("/clusterroles",
            cluster_role("fine", R"([{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}])")),
      201)
      << last;
  EXPECT_EQ(
      write("/clusterroles",
            cluster_role("more",
                         R"([{"apiGroups":[""],"resources":["secrets"],"verbs":["get","list"]}])")),
      403);
  EXPECT_NE(
      last.find(
          "clusterroles.rbac.authorization.k8s.io \\\"more\\\" is forbidden: user \\\"keeper\\\" "
          "(groups=[\\\"system:authenticated\\\"]) is attempting to grant RBAC permissions not "
          "currently held:\\n{APIGroups:[\\\"\\\"], Resources:[\\\"secrets\\\"], "
          "Verbs:[\\\"get\\\" \\\"list\\\"]}"),
      std::string::npos)
      << last;
  EXPECT_EQ(write("/clusterroles",
                  cluster_role("paths", R"([{"nonResourceURLs":["*"],"verbs":["get"]}])")),
            403);
}

TEST_F(Escalation, neither_by_update_nor_by_patch) {
  ASSERT_EQ(
      write("/clusterroles",
            cluster_role("mine", R"([{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}])")),
      201);
  EXPECT_EQ(write("/clusterroles/mine",
                  cluster_role("mine", R"([{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}])"),
                  "PUT"),
            403);
}

TEST_F(Escalation, not_by_aggregation_nor_by_its_labels) {
  EXPECT_EQ(
      write("/clusterroles",
            cluster_role(
                "all", "[]", "",
                R"(,"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"a":"b"}}]})")),
      403);
}

TEST_F(Escalation, nobody_binds_a_role_beyond_what_they_hold) {
  EXPECT_EQ(write("/clusterrolebindings", binding("ClusterRoleBinding", "up", "ClusterRole",
                                                  "cluster-admin", user_subject("keeper"))),
            403);
  EXPECT_EQ(write("/namespaces/default/rolebindings",
                  binding("RoleBinding", "up", "ClusterRole", "admin", user_subject("keeper"))),
            403);
  EXPECT_EQ(write("/clusterrolebindings", binding("ClusterRoleBinding", "same", "ClusterRole",
                                                  "keeper", user_subject("joe"))),
            201)
      << last;
  EXPECT_EQ(write("/clusterrolebindings", binding("ClusterRoleBinding", "none", "ClusterRole",
                                                  "no-such-role", user_subject("joe"))),
            404)
      << last;
}

TEST_F(Escalation, the_verbs_bind_and_escalate_allow_it) {
  world.make(
      std::string(kRbac) + "/clusterroles",
      cluster_role("binder",
                   R"([{"apiGroups":["rbac.authorization.k8s.io"],"resources":["clusterroles"],)"
                   R"("resourceNames":["view"],"verbs":["bind"]}])"));
  bind_cluster("binder", "binder", user_subject("keeper"));
  EXPECT_EQ(write("/clusterrolebindings",
                  binding("ClusterRoleBinding", "v", "ClusterRole", "view", user_subject("joe"))),
            201)
      << last;
  EXPECT_EQ(write("/clusterrolebindings",
                  binding("ClusterRoleBinding", "e", "ClusterRole", "edit", user_subject("joe"))),
            403);
}

class NodeRights : public Rbac {
 protected:
  void SetUp() override {
    world.make(
        "/api/v1/namespaces/default/pods",
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"nodeName":"edge-1",
                "serviceAccountName":"robot","imagePullSecrets":[{"name":"pull"}],
                "containers":[{"name":"c","image":"i","env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"env-secret","key":"k"}}}],
                "envFrom":[{"configMapRef":{"name":"env-map"}}]}],
                "volumes":[{"name":"s","secret":{"secretName":"vol-secret"}},
                {"name":"p","projected":{"sources":[{"configMap":{"name":"kube-root-ca.crt"}}]}},
                {"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}})");
  }
  const User edge1{"system:node:edge-1", "", {"system:nodes", "system:authenticated"}, {}};
  const User edge2{"system:node:edge-2", "", {"system:nodes", "system:authenticated"}, {}};
};

TEST_F(NodeRights, reach_what_its_pods_refer_to) {
  for (const char* name : {"pull", "env-secret", "vol-secret"}) {
    EXPECT_TRUE(world.may(edge1, "get", "secrets", "default", name)) << name;
    EXPECT_FALSE(world.may(edge2, "get", "secrets", "default", name)) << name;
    EXPECT_FALSE(world.may(edge1, "get", "secrets", "kube-system", name)) << name;
    EXPECT_FALSE(world.may(edge1, "update", "secrets", "default", name)) << name;
  }
  for (const char* name : {"env-map", "kube-root-ca.crt"})
    EXPECT_TRUE(world.may(edge1, "watch", "configmaps", "default", name)) << name;
  EXPECT_FALSE(world.may(edge1, "get", "secrets", "default", "another"));
  EXPECT_FALSE(world.may(edge1, "list", "secrets", "default"));
  EXPECT_FALSE(world.may(edge1, "list", "secrets"));
  EXPECT_TRUE(world.may(edge1, "get", "persistentvolumeclaims", "default", "data"));
  EXPECT_TRUE(world.may(edge1, "create", "serviceaccounts", "default", "robot", "", "token"));
  EXPECT_FALSE(world.may(edge1, "create", "serviceaccounts", "default", "default", "", "token"));
  EXPECT_FALSE(world.may(edge2, "create", "serviceaccounts", "default", "robot", "", "token"));
}

TEST_F(NodeRights, keep_to_its_own_objects) {
  EXPECT_TRUE(world.may(edge1, "patch", "nodes", "", "edge-1", "", "status"));
  EXPECT_FALSE(world.may(edge1, "patch", "nodes", "", "edge-2", "", "status"));
  EXPECT_FALSE(world.may(edge1, "delete", "nodes", "", "edge-1"));
  EXPECT_TRUE(world.may(edge1, "patch", "pods", "default", "p", "", "status"));
  EXPECT_FALSE(world.may(edge2, "patch", "pods", "default", "p", "", "status"));
  EXPECT_FALSE(world.may(edge2, "delete", "pods", "default", "p"));
  EXPECT_FALSE(world.may(edge1, "update", "pods", "default", "p"));
  EXPECT_TRUE(
      world.may(edge1, "update", "leases", "kube-node-lease", "edge-1", "coordination.k8s.io"));
  EXPECT_FALSE(
      world.may(edge1, "update", "leases", "kube-node-lease", "edge-2", "coordination.k8s.io"));
  EXPECT_FALSE(
      world.may(edge1, "update", "leases", "kube-system", "edge-1", "coordination.k8s.io"));
  EXPECT_FALSE(
      world.may(edge1, "create", "clusterrolebindings", "", "", "rbac.authorization.k8s.io"));
}

TEST_F(NodeRights, belong_to_name_and_group_together) {
  EXPECT_FALSE(world.may(person("system:node:edge-1"), "get", "secrets", "default", "pull"));
  EXPECT_FALSE(world.may(person("edge-1", {"system:nodes"}), "get", "secrets", "default", "pull"));
}

}  // namespace
}  // namespace kinglet::apiserver
