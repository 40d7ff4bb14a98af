// For tests: an API server with its real authenticator, authorisers and bootstrap objects, over the
// memory store.
#pragma once
#include <gtest/gtest.h>

#include "apiserver/auth/authn.h"
#include "apiserver/auth/authorizer.h"
#include "apiserver/auth/bootstrap.h"
#include "apiserver/auth/certificate_admission.h"
#include "apiserver/auth/node_restriction.h"
#include "apiserver/auth/reviews.h"
#include "apiserver/auth/token_request.h"
#include "apiserver/registry.h"
#include "apiserver/server.h"
#include "apiserver/testing/fake_exchange.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "net/x509.h"

namespace kinglet::apiserver::testing {

class SecuredWorld {
 public:
  using Rows = std::vector<std::pair<std::string, std::string>>;

  SecuredWorld()
      : clock(make_sim_clock(WallTime{std::chrono::seconds(1767323045)})),
        random(make_seeded_random(7)),
        metrics(make_metrics()),
        store(store::make_memory_store(*clock, index_tags)),
        authorizer(make_authorizer(*store)),
        registry(make_registry(*store, *clock, *random, registry_options())),
        tokens(*registry, *clock, *random, token_options()),
        authenticator(make_authenticator(*registry, *clock, *authorizer, tokens, authn_options())),
        handler(make_handler(
            {*registry, *authenticator, *authorizer, *clock, *random, *metrics, extensions()})) {
    ApiAddress api;
    api.address = "192.0.2.1";
    const auto made = run(bootstrap_cluster(*registry, api));
    EXPECT_TRUE(made) << made.error().message();
  }

  template <class T>
  T run(Task<T> task) {
    return kinglet::testing::run_task(loop, *clock, std::move(task));
  }

  // One request by the holder of a client certificate; an empty name: without one.
  std::unique_ptr<FakeExchange> as(const std::string& name, std::vector<std::string> groups,
                                   std::string method, std::string target, std::string body = "",
                                   const Rows& headers = {}) {
    auto exchange =
        std::make_unique<FakeExchange>(std::move(method), std::move(target), std::move(body),
                                       body.empty() ? std::string() : "application/json");
    auto& request = exchange->request();
    request.peer.certificate_verified = !name.empty();
    request.peer.common_name = name;
    request.peer.organizations = std::move(groups);
    for (const auto& [key, value] : headers) request.headers.add(key, value);
    run(handler->serve(*exchange));
    return exchange;
  }
  std::unique_ptr<FakeExchange> admin(std::string method, std::string target, std::string body = "",
                                      const Rows& headers = {}) {
    return as("admin", {"system:masters"}, std::move(method), std::move(target), std::move(body),
              headers);
  }
  std::unique_ptr<FakeExchange> bearer(const std::string& token, std::string method,
                                       std::string target, std::string body = "") {
    return as("", {}, std::move(method), std::move(target), std::move(body),
              {{"Authorization", "Bearer " + token}});
  }
  // Creates as the administrator and insists.
  void make(const std::string& target, const std::string& body) {
    const auto done = admin("POST", target, body);
    ASSERT_EQ(done->status, 201) << done->text;
  }
  bool may(const User& user, std::string verb, std::string resource, std::string ns = "",
           std::string name = "", std::string group = "", std::string subresource = "") {
    Attributes a;
    a.verb = std::move(verb);
    a.resource = std::move(resource);
    a.ns = std::move(ns);
    a.name = std::move(name);
    a.group = std::move(group);
    a.subresource = std::move(subresource);
    return authorizer->authorize(user, a).allowed;
  }

  boost::asio::io_context loop;
  std::unique_ptr<SimClock> clock;
  std::unique_ptr<Random> random;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<RbacAuthorizer> authorizer;
  std::unique_ptr<Registry> registry;
  ServiceAccountTokens tokens;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<net::Handler> handler;

 private:
  RegistryOptions registry_options() {
    RegistryOptions out;
    out.admission.push_back(make_node_restriction());
    out.admission.push_back(make_certificate_admission(*authorizer));
    out.admission.push_back(make_escalation_check(*authorizer));
    return out;
  }
  static TokenOptions token_options() {
    TokenOptions out;
    static const std::string key = net::make_key().value();
    out.key_pem = key;
    return out;
  }
  static AuthnOptions authn_options() {
    AuthnOptions out;
    out.shared_tokens.push_back({"join-secret", join_user("server")});
    return out;
  }
  std::vector<std::unique_ptr<Extension>> extensions() {
    std::vector<std::unique_ptr<Extension>> out;
    out.push_back(make_reviews(*authenticator, *authorizer, *clock));
    out.push_back(make_token_request(*registry, tokens));
    return out;
  }
};

}  // namespace kinglet::apiserver::testing
