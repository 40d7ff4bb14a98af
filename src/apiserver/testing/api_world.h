// For tests: an API server over the memory store in virtual time, with an administrator who may do
// everything.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "apiserver/registry.h"
#include "apiserver/server.h"
#include "apiserver/testing/fake_exchange.h"
#include "base/task_group.h"
#include "base/testing.h"

namespace kinglet::apiserver::testing {

class AllowAll final : public Authenticator, public Authorizer {
 public:
  Task<Result<User>> authenticate(const net::Request&) override {
    if (!known) co_return Error(Code::unauthorized, "Unauthorized");
    co_return admin;
  }
  Task<Result<User>> authenticate_token(std::string, std::vector<std::string>) override {
    co_return admin;
  }
  Decision authorize(const User&, const Attributes&) const override {
    return {allowed, "because of the test"};
  }
  json::Value rules_for(const User&, std::string_view) const override { return json::Object(); }
  User admin{.name = "admin", .groups = {"system:masters"}};
  bool known = true, allowed = true;
};

class ApiWorld {
 public:
  // Puts something between the registry and its store.
  using Wrap = std::function<std::unique_ptr<store::Store>(std::unique_ptr<store::Store>)>;
  explicit ApiWorld(RegistryOptions options = {}, const Wrap& wrap = {})
      : clock(make_sim_clock(WallTime{std::chrono::seconds(1767323045)})),  // 2026-01-02T03:04:05Z
        random(make_seeded_random(7)),
        metrics(make_metrics()),
        store(wrap ? wrap(store::make_memory_store(*clock, index_tags))
                   : store::make_memory_store(*clock, index_tags)),
        registry(make_registry(*store, *clock, *random, std::move(options))),
        handler(make_handler({*registry, gate, gate, *clock, *random, *metrics, {}})) {}

  template <class T>
  T run(Task<T> task) {
    return kinglet::testing::run_task(loop, *clock, std::move(task));
  }
  // One request to its end.
  std::unique_ptr<FakeExchange> request(
      std::string method, std::string target, std::string body = "", std::string content_type = "",
      std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto exchange = std::make_unique<FakeExchange>(std::move(method), std::move(target),
                                                   std::move(body), std::move(content_type));
    for (auto& [name, value] : headers) exchange->request().headers.add(name, value);
    run(handler->serve(*exchange));
    return exchange;
  }
  std::unique_ptr<FakeExchange> get(std::string target) {
    return request("GET", std::move(target));
  }
  std::unique_ptr<FakeExchange> post(std::string target, std::string body) {
    return request("POST", std::move(target), std::move(body), "application/json");
  }
  std::unique_ptr<FakeExchange> put(std::string target, std::string body) {
    return request("PUT", std::move(target), std::move(body), "application/json");
  }
  std::unique_ptr<FakeExchange> patch(std::string target, std::string body,
                                      std::string type = "merge") {
    const std::string content =
        "application/" + type + (type == "apply" ? "-patch+yaml" : "-patch+json");
    return request("PATCH", std::move(target), std::move(body), content);
  }
  std::unique_ptr<FakeExchange> remove(std::string target, std::string body = "") {
    return request("DELETE", std::move(target), std::move(body));
  }

  boost::asio::io_context loop;
  std::unique_ptr<SimClock> clock;
  std::unique_ptr<Random> random;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<store::Store> store;
  AllowAll gate;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<net::Handler> handler;
};

inline std::string config_map(const std::string& name, const std::string& value = "v",
                              const std::string& extra = "") {
  return fmt::format(
      R"({{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{}"{}}},"data":{{"k":"{}"}}}})",
      name, extra, value);
}
inline std::string pod(const std::string& name, const std::string& node = "",
                       const std::string& extra = "") {
  const std::string bound = node.empty() ? "" : fmt::format(R"(,"nodeName":"{}")", node);
  return fmt::format(
      R"({{"kind":"Pod","apiVersion":"v1","metadata":{{"name":"{}"{}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]{}}}}})",
      name, extra, bound);
}
inline std::string deployment(const std::string& name, int replicas = 1) {
  return fmt::format(
      R"({{"kind":"Deployment","apiVersion":"apps/v1","metadata":{{"name":"{}"}},"spec":{{"replicas":{},"selector":{{"matchLabels":{{"a":"b"}}}},"template":{{"metadata":{{"labels":{{"a":"b"}}}},"spec":{{"containers":[{{"name":"c","image":"i"}}]}}}}}}}})",
      name, replicas);
}
inline std::string message(const FakeExchange& exchange) {
  return std::string(json::text_at(exchange.json(), {"message"}));
}
inline std::string revision_of(const FakeExchange& exchange) {
  return std::string(json::text_at(exchange.json(), {"metadata", "resourceVersion"}));
}

}  // namespace kinglet::apiserver::testing
