#include "apiserver/auth/authn.h"

#include "apiserver/testing/secured_world.h"
#include "net/crypto.h"

namespace kinglet::apiserver {
namespace {

using testing::SecuredWorld;

class Authn : public ::testing::Test {
 protected:
  std::string whoami(const std::string& name, const std::vector<std::string>& groups,
                     const SecuredWorld::Rows& headers = {}) {
    const auto done = world.as(
        name, groups, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        R"({"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"})", headers);
    if (done->status != 201) return std::to_string(done->status);
    const auto answer = done->json();
    const auto* user = json::find(answer, {"status", "userInfo"});
    info = user ? *user : json::Value();
    return std::string(json::text_at(info, {"username"}));
  }
  std::string token_for(const std::string& account, const std::string& spec = "{}") {
    const auto done = world.admin(
        "POST", "/api/v1/namespaces/default/serviceaccounts/" + account + "/token",
        R"({"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":)" + spec + "}");
    EXPECT_EQ(done->status, 201) << done->text;
    const auto answer = done->json();
    return std::string(json::text_at(answer, {"status", "token"}));
  }
  int status_with(const std::string& token) {
    return world
        .bearer(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                R"({"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"})")
        ->status;
  }
  void make_account(const std::string& name) {
    world.make(
        "/api/v1/namespaces/default/serviceaccounts",
        fmt::format(R"({{"kind":"ServiceAccount","apiVersion":"v1","metadata":{{"name":"{}"}}}})",
                    name));
  }
  SecuredWorld world;
  json::Value info;
};

TEST_F(Authn, a_certificate_names_user_and_groups) {
  EXPECT_EQ(whoami("jane", {"dev"}), "jane");
  EXPECT_EQ(json::print(info.at("groups")), R"(["dev","system:authenticated"])");
}

TEST_F(Authn, nobody_sees_only_health_and_version) {
  struct Case {
    const char* method;
    const char* path;
    int status;
  };
  // 404: let in, and this test's server has no such page.
  const Case cases[] = {
      {"GET", "/healthz", 404},
      {"GET", "/version", 404},
      {"GET", "/healthz/", 401},
      {"GET", "/HEALTHZ", 401},
      {"POST", "/healthz", 401},
      {"GET", "/api", 401},
      {"GET", "/api/v1/nodes", 401},
      {"GET", "/healthz/../api/v1/nodes", 401},
      {"GET", "/healthz%2f..%2fapi", 401},
      {"GET", "/api/v1/namespaces/default/pods/%2e%2e/log", 401},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.path);
    EXPECT_EQ(world.as("", {}, c.method, c.path)->status, c.status);
  }
}

TEST_F(Authn, a_bad_token_is_refused_even_where_nobody_is_let_in) {
  EXPECT_EQ(world.bearer("rubbish", "GET", "/healthz")->status, 401);
  EXPECT_EQ(world.bearer("a.b.c", "GET", "/healthz")->status, 401);
  const auto answer = world.bearer("rubbish", "GET", "/api/v1/nodes");
  const auto status = answer->json();
  EXPECT_EQ(json::text_at(status, {"message"}), "Unauthorized") << "nothing about why";
}

TEST_F(Authn, a_certificate_without_a_name_is_nobody) {
  auto exchange = std::make_unique<testing::FakeExchange>("GET", "/api/v1/nodes");
  exchange->request().peer.certificate_verified = true;
  exchange->request().peer.organizations = {"system:masters"};
  world.run(world.handler->serve(*exchange));
  EXPECT_EQ(exchange->status, 401);
}

TEST_F(Authn, an_unverified_certificate_is_nobody) {
  auto exchange = std::make_unique<testing::FakeExchange>("GET", "/api/v1/nodes");
  exchange->request().peer.common_name = "admin";
  exchange->request().peer.organizations = {"system:masters"};
  world.run(world.handler->serve(*exchange));
  EXPECT_EQ(exchange->status, 401);
}

TEST_F(Authn, join_tokens_may_ask_for_a_certificate_and_nothing_else) {
  for (const char* token : {"join-secret", "K10abc::server:join-secret"}) {
    EXPECT_EQ(world.bearer(token, "GET", "/apis/certificates.k8s.io/v1/certificatesigningrequests")
                  ->status,
              200);
    EXPECT_EQ(world.bearer(token, "GET", "/api/v1/secrets")->status, 403);
    EXPECT_EQ(world.bearer(token, "GET", "/api/v1/nodes")->status, 403);
  }
  EXPECT_EQ(world.bearer("join-secre", "GET", "/api/v1/nodes")->status, 401);
}

TEST_F(Authn, impersonation_needs_the_right_for_every_part) {
  EXPECT_EQ(whoami("admin", {"system:masters"},
                   {{"Impersonate-User", "jane"}, {"Impersonate-Group", "dev"}}),
            "jane");
  EXPECT_EQ(json::print(info.at("groups")), R"(["dev","system:authenticated"])")
      << "not the impersonator's";

  world.make(
      "/apis/rbac.authorization.k8s.io/v1/clusterroles",
      R"({"kind":"ClusterRole","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"imp"},"rules":[
              {"apiGroups":[""],"resources":["users"],"resourceNames":["jane"],"verbs":["impersonate"]}]})");
  world.make(
      "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
      R"({"kind":"ClusterRoleBinding","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"imp"},
              "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"imp"},
              "subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"helper"}]})");
  struct Case {
    const char* name;
    SecuredWorld::Rows headers;
    const char* who;
  };
  const Case cases[] = {
      {"allowed", {{"Impersonate-User", "jane"}}, "jane"},
      {"header names have no case", {{"impersonate-USER", "jane"}}, "jane"},
      {"somebody else", {{"Impersonate-User", "admin"}}, "403"},
      {"names have case", {{"Impersonate-User", "Jane"}}, "403"},
      {"a group more",
       {{"Impersonate-User", "jane"}, {"Impersonate-Group", "system:masters"}},
       "403"},
      {"a group in odd case",
       {{"Impersonate-User", "jane"}, {"iMPERSONATE-gROUP", "system:masters"}},
       "403"},
      {"an extra more", {{"Impersonate-User", "jane"}, {"Impersonate-Extra-x", "y"}}, "403"},
      {"a uid more", {{"Impersonate-User", "jane"}, {"Impersonate-Uid", "7"}}, "403"},
      {"two users", {{"Impersonate-User", "jane"}, {"Impersonate-User", "admin"}}, "400"},
      {"a group alone", {{"Impersonate-Group", "system:masters"}}, "400"},
      {"a service account", {{"Impersonate-User", "system:serviceaccount:kube-system:x"}}, "403"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(whoami("helper", {}, c.headers), c.who);
  }
}

TEST_F(Authn, service_account_tokens_name_account_groups_and_pod) {
  make_account("robot");
  const auto token = token_for("robot");
  const auto done =
      world.bearer(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                   R"({"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"})");
  ASSERT_EQ(done->status, 201) << done->text;
  const auto body = done->json();
  EXPECT_EQ(json::text_at(body, {"status", "userInfo", "username"}),
            "system:serviceaccount:default:robot");
  EXPECT_EQ(
      json::print(body.at("status").at("userInfo").at("groups")),
      R"(["system:serviceaccounts","system:serviceaccounts:default","system:authenticated"])");
}

TEST_F(Authn, service_account_tokens_end_with_their_time_and_account) {
  make_account("robot");
  const auto token = token_for("robot", R"({"expirationSeconds":600})");
  EXPECT_EQ(status_with(token), 201);
  world.clock->run_until(world.loop, world.clock->now() + 599s);
  EXPECT_EQ(status_with(token), 201);
  world.clock->run_until(world.loop, world.clock->now() + 1s);
  EXPECT_EQ(status_with(token), 401);

  const auto second = token_for("robot");
  EXPECT_EQ(status_with(second), 201);
  ASSERT_EQ(world.admin("DELETE", "/api/v1/namespaces/default/serviceaccounts/robot")->status, 200);
  EXPECT_EQ(status_with(second), 401);
  make_account("robot");
  EXPECT_EQ(status_with(second), 401) << "a new account of the same name is another one";
}

TEST_F(Authn, service_account_tokens_are_for_their_audience) {
  make_account("robot");
  EXPECT_EQ(status_with(token_for("robot", R"({"audiences":["vault"]})")), 401);
  const auto review = [&](const std::string& token, const std::string& audiences) {
    const auto done = world.admin(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews",
        fmt::format(
            R"({{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{{"token":"{}","audiences":{}}}}})",
            token, audiences));
    EXPECT_EQ(done->status, 201) << done->text;
    return done->json().at("status");
  };
  const auto token = token_for("robot", R"({"audiences":["vault","nats"]})");
  EXPECT_FALSE(json::bool_at(review(token, "[]"), {"authenticated"}));
  EXPECT_FALSE(json::bool_at(review(token, R"(["other"])"), {"authenticated"}));
  const auto fits = review(token, R"(["vault","other"])");
  EXPECT_TRUE(json::bool_at(fits, {"authenticated"}));
  EXPECT_EQ(json::print(fits.at("audiences")), R"(["vault"])");
}

TEST_F(Authn, a_token_dies_with_the_pod_it_is_bound_to) {
  make_account("robot");
  world.make("/api/v1/namespaces/default/pods",
             R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"nodeName":"edge-1",
              "serviceAccountName":"robot","containers":[{"name":"c","image":"i"}]}})");
  const auto token =
      token_for("robot", R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}})");
  EXPECT_EQ(status_with(token), 201);
  world.admin("DELETE", "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0");
  EXPECT_EQ(status_with(token), 401);
}

TEST_F(Authn, a_changed_token_is_refused) {
  make_account("robot");
  const auto token = token_for("robot");
  const auto dot = token.find('.', token.find('.') + 1);
  // Claims of another account under the old signature.
  const auto claims =
      net::from_base64url(token.substr(token.find('.') + 1, dot - token.find('.') - 1)).value();
  std::string other = claims;
  other.replace(other.find("robot"), 5, "admin");
  EXPECT_EQ(
      status_with(token.substr(0, token.find('.') + 1) + net::base64url(other) + token.substr(dot)),
      401);
  // No algorithm, no signature.
  EXPECT_EQ(status_with(net::base64url(R"({"alg":"none"})") + "." + net::base64url(claims) + "."),
            401);
  // Signed, but with somebody else's key.
  const auto foreign = net::jwt_sign(net::make_key().value(), json::parse(claims).value());
  EXPECT_EQ(status_with(*foreign), 401);
}

TEST_F(Authn, token_requests_are_checked) {
  make_account("robot");
  struct Case {
    const char* name;
    const char* spec;
    int status;
  };
  const Case cases[] = {
      {"too short", R"({"expirationSeconds":599})", 422},
      {"too long", R"({"expirationSeconds":4294967297})", 422},
      {"missing pod", R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"none"}})", 404},
      {"odd kind", R"({"boundObjectRef":{"kind":"ConfigMap","apiVersion":"v1","name":"x"}})", 400},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto done = world.admin(
        "POST", "/api/v1/namespaces/default/serviceaccounts/robot/token",
        fmt::format(
            R"({{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{}}})",
            c.spec));
    EXPECT_EQ(done->status, c.status) << done->text;
  }
  EXPECT_EQ(
      world.admin("POST", "/api/v1/namespaces/default/serviceaccounts/none/token", "{}")->status,
      404);
}

TEST_F(Authn, a_node_gets_tokens_for_its_own_pods_only) {
  make_account("robot");
  for (const char* node : {"edge-1", "edge-2"})
    world.make(
        "/api/v1/namespaces/default/pods",
        fmt::format(
            R"({{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"on-{0}"}},"spec":{{"nodeName":"{0}",
                "serviceAccountName":"robot","containers":[{{"name":"c","image":"i"}}]}}}})",
            node));
  const auto ask = [&](const std::string& reference) {
    return world
        .as("system:node:edge-1", {"system:nodes"}, "POST",
            "/api/v1/namespaces/default/serviceaccounts/robot/token",
            R"({"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{)" +
                reference + "}}")
        ->status;
  };
  EXPECT_EQ(ask(R"("boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"on-edge-1"})"), 201);
  EXPECT_EQ(ask(R"("boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"on-edge-2"})"), 403);
  EXPECT_EQ(ask(""), 403);
}

TEST_F(Authn, a_node_in_the_same_process_asks_without_http) {
  make_account("robot");
  world.make("/api/v1/namespaces/default/pods",
             R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"nodeName":"edge-1",
              "serviceAccountName":"robot","containers":[{"name":"c","image":"i"}]}})");
  const User node{"system:node:edge-1", "", {"system:nodes", "system:authenticated"}, {}};
  const auto api = make_token_api(make_local_api(*world.registry, world.authorizer.get(), node),
                                  *world.registry, world.tokens, world.authorizer.get(), node);
  const auto* accounts = schema::find_resource("", "v1", "serviceaccounts");
  const auto ask = [&](const std::string& account) {
    return world.run(
        api->create(*accounts, "default",
                    R"({"spec":{"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"}}})",
                    {}, account, "token"));
  };
  const auto issued = ask("robot");
  ASSERT_TRUE(issued) << issued.error().message();
  const auto object = json::parse(issued->view()).value();
  EXPECT_EQ(status_with(std::string(json::text_at(object, {"status", "token"}))), 201);
  EXPECT_TRUE(ask("default").is(Code::forbidden));
}

class BootstrapTokens : public Authn {
 protected:
  void make_token(const std::string& more,
                  const std::string& type = "bootstrap.kubernetes.io/token") {
    world.make(
        "/api/v1/namespaces/kube-system/secrets",
        fmt::format(
            R"({{"kind":"Secret","apiVersion":"v1","metadata":{{"name":"bootstrap-token-abcdef"}},
                "type":"{}","data":{{"token-id":"{}","token-secret":"{}"{}}}}})",
            type, net::base64("abcdef"), net::base64("0123456789abcdef"), more));
  }
  const std::string token = "abcdef.0123456789abcdef";
  const std::string usage = R"(,"usage-bootstrap-authentication":")" + net::base64("true") + "\"";
};

TEST_F(BootstrapTokens, name_a_bootstrapper_and_its_groups) {
  make_token(usage + R"(,"auth-extra-groups":")" +
             net::base64("system:bootstrappers:edge,system:masters") + "\"");
  auto user = world.run(world.authenticator->authenticate_token(token, {}));
  ASSERT_TRUE(user) << user.error().message();
  EXPECT_EQ(user->name, "system:bootstrap:abcdef");
  EXPECT_TRUE(user->in_group("system:bootstrappers:edge"));
  EXPECT_FALSE(user->in_group("system:masters"));
  EXPECT_FALSE(world.run(world.authenticator->authenticate_token("abcdef.0123456789abcdeX", {})));
  EXPECT_FALSE(world.run(world.authenticator->authenticate_token("abcdef.0123456789abcde0", {})));
}

TEST_F(BootstrapTokens, end_in_time) {
  make_token(usage + R"(,"expiration":")" + net::base64("2026-01-02T03:05:05Z") + "\"");
  EXPECT_TRUE(world.run(world.authenticator->authenticate_token(token, {})));
  world.clock->run_until(world.loop, world.clock->now() + 61s);
  EXPECT_FALSE(world.run(world.authenticator->authenticate_token(token, {})));
}

TEST_F(BootstrapTokens, are_good_for_what_they_say) {
  make_token("");
  EXPECT_FALSE(world.run(world.authenticator->authenticate_token(token, {})));
}

TEST_F(BootstrapTokens, are_secrets_of_their_type) {
  make_token(usage, "Opaque");
  EXPECT_FALSE(world.run(world.authenticator->authenticate_token(token, {})));
}

}  // namespace
}  // namespace kinglet::apiserver
