// What certificate admission and node restriction refuse, through the whole server.
#include "apiserver/auth/certificate_admission.h"
#include "apiserver/auth/node_restriction.h"
#include "apiserver/testing/secured_world.h"
#include "net/crypto.h"
#include "net/x509.h"

namespace kinglet::apiserver {
namespace {

using testing::SecuredWorld;

std::string request_of(const std::string& name, const std::string& organization) {
  return net::make_csr(*net::make_key(), name, {organization}).value();
}

constexpr const char* kRequests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
constexpr const char* kRbac = "/apis/rbac.authorization.k8s.io/v1";

class Certificates : public ::testing::Test {
 protected:
  int ask(const std::string& pem, const char* signer = "kubernetes.io/kube-apiserver-client") {
    const auto done = world.admin(
        "POST", kRequests,
        fmt::format(
            R"({{"kind":"CertificateSigningRequest","apiVersion":"certificates.k8s.io/v1","metadata":{{"name":"r"}},
            "spec":{{"request":"{}","signerName":"{}","usages":["client auth"]}}}})",
            net::base64(pem), signer));
    return done->status;
  }
  int change(const std::string& user, const std::string& part, const std::string& status) {
    auto object = world.admin("GET", std::string(kRequests) + "/r")->json();
    object.as_object()["status"] = json::parse(status).value();
    return world.as(user, {}, "PUT", std::string(kRequests) + "/r/" + part, json::print(object))
        ->status;
  }
  void grant(const std::string& user, const std::string& rules) {
    world.make(
        std::string(kRbac) + "/clusterroles",
        fmt::format(
            R"({{"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{{"name":"{}"}},"rules":{}}})",
            user, rules));
    world.make(
        std::string(kRbac) + "/clusterrolebindings",
        fmt::format(
            R"({{"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{{"name":"{0}"}},
        "roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"{0}"}},
        "subjects":[{{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"{0}"}}]}})",
            user));
  }
  SecuredWorld world;
};

constexpr const char* kWriter =
    R"({"apiGroups":["certificates.k8s.io"],"resources":["*"],"verbs":["get","update"]})";
constexpr const char* kApprovedStatus =
    R"({"conditions":[{"type":"Approved","status":"True","reason":"x"}]})";

TEST_F(Certificates, nobody_becomes_master_by_asking) {
  EXPECT_EQ(ask(request_of("eve", "system:masters")), 403);
  EXPECT_EQ(ask("rubbish"), 422);
  EXPECT_EQ(ask(request_of("jane", "dev")), 201);
}

TEST_F(Certificates, approving_and_signing_are_rights_on_the_signer) {
  ASSERT_EQ(ask(request_of("jane", "dev")), 201);
  grant("plain", fmt::format("[{}]", kWriter));
  EXPECT_EQ(change("plain", "approval", kApprovedStatus), 403);
  EXPECT_EQ(change("plain", "status", R"({"certificate":"eA=="})"), 403);
  EXPECT_EQ(change("plain", "status", kApprovedStatus), 403) << "not through the other door either";
  grant("approver",
        fmt::format(R"([{},{{"apiGroups":["certificates.k8s.io"],"resources":["signers"],)"
                    R"("resourceNames":["kubernetes.io/*"],"verbs":["approve"]}}])",
                    kWriter));
  EXPECT_EQ(change("approver", "approval", kApprovedStatus), 200);
}

class NodeWrites : public ::testing::Test {
 protected:
  int write(const std::string& method, const std::string& target, const std::string& body) {
    const auto done = world.as("system:node:edge-1", {"system:nodes"}, method, target, body);
    last = done->text;
    return done->status;
  }
  std::string node(const std::string& name, const std::string& labels,
                   const std::string& spec = "{}") {
    return fmt::format(
        R"({{"kind":"Node","apiVersion":"v1","metadata":{{"name":"{}","labels":{}}},"spec":{}}})",
        name, labels, spec);
  }
  SecuredWorld world;
  std::string last;
};

TEST_F(NodeWrites, describe_itself_but_steer_nothing) {
  EXPECT_EQ(write("POST", "/api/v1/nodes", node("edge-2", "{}")), 403);
  EXPECT_EQ(write("POST", "/api/v1/nodes",
                  node("edge-1", R"({"node-role.kubernetes.io/control-plane":""})")),
            403);
  EXPECT_EQ(
      write(
          "POST", "/api/v1/nodes",
          node(
              "edge-1",
              R"({"kubernetes.io/hostname":"edge-1","node.kubernetes.io/instance-type":"k","mine":"x"})",
              R"({"taints":[{"key":"a","effect":"NoSchedule"}]})")),
      201)
      << last;
  EXPECT_EQ(write("PATCH", "/api/v1/nodes/edge-1", "{}"), 415) << "no patch type";
  auto stored = world.admin("GET", "/api/v1/nodes/edge-1")->json();
  auto changed = stored;
  changed.as_object()["metadata"]
      .as_object()["labels"]
      .as_object()["node-restriction.kubernetes.io/tier"] = "gold";
  EXPECT_EQ(write("PUT", "/api/v1/nodes/edge-1", json::print(changed)), 403);
  changed = stored;
  changed.as_object()["spec"].as_object().erase("taints");
  EXPECT_EQ(write("PUT", "/api/v1/nodes/edge-1", json::print(changed)), 403) << last;
}

TEST_F(NodeWrites, create_only_mirror_pods_that_reach_for_nothing) {
  const auto pod = [](const std::string& annotations, const std::string& spec) {
    return fmt::format(
        R"({{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"m","annotations":{}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]{}}}}})",
        annotations, spec);
  };
  const std::string mirror = R"({"kubernetes.io/config.mirror":"x"})",
                    pods = "/api/v1/namespaces/default/pods";
  EXPECT_EQ(write("POST", pods, pod("{}", R"(,"nodeName":"edge-1")")), 403);
  EXPECT_EQ(write("POST", pods, pod(mirror, R"(,"nodeName":"edge-2")")), 403);
  EXPECT_EQ(
      write(
          "POST", pods,
          pod(mirror,
              R"(,"nodeName":"edge-1","volumes":[{"name":"s","secret":{"secretName":"other"}}])")),
      403);
  EXPECT_EQ(write("POST", pods, pod(mirror, R"(,"nodeName":"edge-1")")), 201) << last;
}

TEST_F(NodeWrites, keep_other_nodes_alive_no_more_than_itself) {
  const auto lease = [](const std::string& name) {
    return R"({"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":")" + name +
           R"("}})";
  };
  const std::string leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
  EXPECT_EQ(write("POST", leases, lease("edge-2")), 403);
  EXPECT_EQ(write("POST", leases, lease("edge-1")), 201) << last;
}

}  // namespace
}  // namespace kinglet::apiserver
