// The API over real TLS on loopback.
#include <gtest/gtest.h>

#include "apiserver/testing/api_world.h"
#include "net/client.h"
#include "net/server.h"

namespace kinglet::apiserver {
namespace {
using namespace testing;  // NOLINT

net::KeyPair serving_pair(const net::KeyPair& ca, WallTime now) {
  net::CertificateRequest request;
  request.common_name = "kinglet";
  request.dns_names = {"localhost"};
  request.addresses = {"127.0.0.1"};
  request.server = true;
  request.not_before = {now.since_epoch - 1h};
  request.not_after = {now.since_epoch + 1h};
  auto pair = net::issue(ca, request);
  EXPECT_TRUE(pair);
  return *pair;
}

class OverTls : public ::testing::Test {
 public:
  void SetUp() override {
    const auto now = clock->wall();
    auto ca = net::make_ca("test", {now.since_epoch - 1h}, {now.since_epoch + 1h});
    ASSERT_TRUE(ca);
    ca_pem = ca->certificate_pem;
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    options.key_pair = serving_pair(*ca, now);
    auto listening = net::listen(*clock, *metrics, *handler, options);
    ASSERT_TRUE(listening) << listening.error().message();
    server = std::move(*listening);
  }

  // Runs the server beside `work`.
  void serve(Task<Result<void>> work) {
    const auto both = [](OverTls& self, Task<Result<void>> task) -> Task<Result<void>> {
      TaskGroup group;
      group.add("server", self.server->run());
      group.add("client", self.then_stop(group, std::move(task)));
      co_return co_await group.run();
    };
    const auto done = kinglet::testing::run_task(loop, both(*this, std::move(work)));
    EXPECT_TRUE(done) << done.error().message();
  }
  Task<Result<void>> then_stop(TaskGroup& group, Task<Result<void>> work) {
    auto done = co_await std::move(work);
    group.cancel();
    co_return std::move(done);
  }
  Task<Result<net::ClientResponse>> call(std::string method, std::string path, std::string body) {
    net::ClientRequest request;
    request.method = std::move(method);
    request.url = fmt::format("https://127.0.0.1:{}{}", server->port(), path);
    request.body = std::move(body);
    request.tls.ca_pem = ca_pem;
    if (!request.body.empty()) request.headers.add("Content-Type", "application/json");
    co_return co_await net::fetch(*clock, std::move(request));
  }

  boost::asio::io_context loop;
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Random> random = make_seeded_random(1);
  std::unique_ptr<Metrics> metrics = make_metrics();
  std::unique_ptr<store::Store> store = store::make_memory_store(*clock, index_tags);
  AllowAll gate;
  std::unique_ptr<Registry> registry = make_registry(*store, *clock, *random, {});
  std::unique_ptr<net::Handler> handler =
      make_handler({*registry, gate, gate, *clock, *random, *metrics, {}});
  std::unique_ptr<net::Server> server;
  std::string ca_pem;
};

TEST_F(OverTls, objects_are_created_listed_and_deleted) {
  const auto work = [](OverTls& self) -> Task<Result<void>> {
    const std::string maps = "/api/v1/namespaces/default/configmaps";
    const std::string body = config_map("a");
    KL_TRY(made, co_await self.call("POST", maps, body));
    EXPECT_EQ(made.status, 201) << made.body;
    KL_TRY(list, co_await self.call("GET", maps, ""));
    EXPECT_NE(list.body.find("\"name\":\"a\""), std::string::npos);
    KL_TRY(watched, co_await self.call("GET", maps + "?watch=1&timeoutSeconds=1", ""));
    EXPECT_TRUE(watched.body.starts_with(R"({"type":"ADDED","object":{"kind":"ConfigMap")"))
        << watched.body;
    const std::string big = config_map("big", std::string(kBodyBytesMax, 'x'));
    KL_TRY(refused, co_await self.call("POST", maps, big));
    EXPECT_EQ(refused.status, 413);
    KL_TRY(gone, co_await self.call("DELETE", maps + "/a", ""));
    EXPECT_EQ(gone.status, 200) << gone.body;
    KL_TRY(missing, co_await self.call("GET", maps + "/a", ""));
    EXPECT_EQ(missing.status, 404);
    co_return Result<void>();
  };
  serve(work(*this));
}

}  // namespace
}  // namespace kinglet::apiserver
