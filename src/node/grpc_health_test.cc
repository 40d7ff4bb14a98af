#include "node/grpc_health.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/task_group.h"
#include "base/testing.h"
#include "net/server.h"

namespace kinglet::node {
namespace {

using namespace std::string_literals;

TEST(GrpcHealth, requests_are_framed) {
  EXPECT_EQ(health_request(""), "\0\0\0\0\0"s);
  EXPECT_EQ(health_request("ab"), "\0\0\0\0\x04\x0a\x02"s + "ab");
}

TEST(GrpcHealth, answers_are_read) {
  EXPECT_EQ(*parse_health_answer("\0\0\0\0\x02\x08\x01"s), ServingStatus::serving);
  EXPECT_EQ(*parse_health_answer("\0\0\0\0\x02\x08\x02"s), ServingStatus::not_serving);
  EXPECT_EQ(*parse_health_answer("\0\0\0\0\0"s), ServingStatus::unknown);
  EXPECT_EQ(*parse_health_answer("\0\0\0\0\x06\x12\x02xx\x08\x01"s),
            ServingStatus::serving);  // an unknown field
  for (const auto& bad : {""s, "\0\0\0"s, "\1\0\0\0\0"s, "\0\0\0\0\x02\x08"s, "\0\0\0\0\x01\x08"s,
                          "\0\0\0\0\x02\x12\x09"s})
    EXPECT_TRUE(parse_health_answer(bad).is(Code::invalid));
}

// A server on a loopback port that speaks HTTP/2 without TLS.
class HealthServer final : public net::Handler {
 public:
  std::string body = "\0\0\0\0\x02\x08\x01"s, grpc_status;
  std::string asked;
  Task<void> serve(net::Exchange& exchange) override {
    auto got = co_await exchange.read_body(1000);
    asked = got ? exchange.request().path + " " + *got : "?";
    net::Headers headers;
    headers.set("Content-Type", "application/grpc");
    if (!grpc_status.empty()) headers.set("Grpc-Status", grpc_status);
    std::vector<Bytes> pieces;
    if (!body.empty()) pieces.emplace_back(body);
    const auto sent = co_await exchange.respond(200, std::move(headers), std::move(pieces));
    EXPECT_TRUE(sent);
  }
};

struct GrpcProbe : ::testing::Test {
  boost::asio::io_context loop;
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Metrics> metrics = make_metrics();
  HealthServer handler;

  static Task<void> keep(Task<Result<ServingStatus>> task,
                         std::optional<Result<ServingStatus>>& out, TaskGroup& group) {
    out.emplace(co_await std::move(task));
    group.cancel();
  }
  Result<ServingStatus> ask() {
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    auto server = net::listen(*clock, *metrics, handler, std::move(options));
    if (!server) return server.error();
    std::optional<Result<ServingStatus>> out;
    TaskGroup group;
    group.add("server", (*server)->run());
    group.add("probe",
              keep(ask_health(*clock, "127.0.0.1", (*server)->port(), "svc", 10s), out, group));
    const auto ended = kinglet::testing::run_task(loop, group.run());
    EXPECT_TRUE(ended);
    return std::move(*out);
  }
};

TEST_F(GrpcProbe, asks_for_the_service) {
  const auto status = ask();
  ASSERT_TRUE(status) << status.error().message();
  EXPECT_EQ(*status, ServingStatus::serving);
  EXPECT_EQ(handler.asked, "/grpc.health.v1.Health/Check "s + health_request("svc"));
}

TEST_F(GrpcProbe, says_when_there_is_no_health_service) {
  handler.body.clear();
  handler.grpc_status = "12";
  const auto status = ask();
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message().find("does not implement"), std::string::npos)
      << status.error().message();
}

}  // namespace
}  // namespace kinglet::node
