// The remote Api against a server that answers as the API does.
#include "client/remote_api.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/metrics.h"
#include "base/task_group.h"
#include "base/testing.h"
#include "client/object.h"
#include "net/server.h"

namespace kinglet::client {
namespace {

// Remembers what was asked and says what it was told to.
class CannedServer final : public net::Handler {
 public:
  Task<void> serve(net::Exchange& exchange) override {
    const auto& request = exchange.request();
    auto body = co_await exchange.read_body(1 << 20);
    asked = fmt::format("{} {} {} {}", request.method, request.target,
                        request.headers.get("content-type"), body ? *body : "");
    net::Headers headers;
    headers.add("content-type", "application/json");
    std::vector<Bytes> pieces(1, Bytes(answer));
    const auto sent = co_await exchange.respond(status, std::move(headers), std::move(pieces));
    (void)sent;
  }
  int status = 200;
  std::string answer, asked;
};

class OneConnection final : public Connection {
 public:
  explicit OneConnection(net::H2Client& client) : client_(client) {}
  Task<void> ready() override { co_return; }
  Task<Result<std::unique_ptr<net::H2Call>>> open(net::H2Request request) override {
    co_return client_.open(std::move(request));
  }

 private:
  net::H2Client& client_;
};

class RemoteApiTest : public ::testing::Test {
 public:
  using Body = Task<void> (RemoteApiTest::*)(Api&);

  void with_api(Body body) {
    auto whole = run_all(body);
    kinglet::testing::run_task<void>(loop_, std::move(whole));
  }

  Task<void> run_all(Body body) {
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    auto server = net::listen(*clock_, *metrics_, server_, options);
    EXPECT_TRUE(server) << server.error().message();
    TaskGroup group;
    group.add("server", (*server)->run());
    group.add("test", connect_and((*server)->port(), body, group));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended) << ended.error().message();
  }

  Task<void> connect_and(uint16_t port, Body body, TaskGroup& all) {
    net::H2Options options;
    options.url = fmt::format("http://127.0.0.1:{}", port);
    auto connecting = net::connect_h2(*clock_, std::move(options));
    auto client = co_await std::move(connecting);
    EXPECT_TRUE(client);
    OneConnection connection(**client);
    const auto api = make_remote_api(*clock_, connection);
    struct Parts {
      static Task<void> run(net::H2Client& client) {
        const auto ended = co_await client.run();
        (void)ended;
      }
      static Task<void> then(Task<void> body, TaskGroup& group) {
        co_await std::move(body);
        group.cancel();
      }
    };
    TaskGroup group;
    group.add("connection", Parts::run(**client));
    group.add("body", Parts::then((this->*body)(*api), group));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended);
    all.cancel();
  }

  Task<void> reads(Api& api) {
    server_.answer = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}})";
    const auto pod = co_await api.get(pods_, "ns", "a");
    EXPECT_TRUE(pod && pod->view() == server_.answer);
    EXPECT_EQ(server_.asked, "GET /api/v1/namespaces/ns/pods/a  ");
    server_.answer =
        R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"more"},"items":[{"metadata":{"name":"a"}}]})";
    ListOptions options;
    options.field_selector = "spec.nodeName=n-1";
    options.limit = 500;
    auto listing = api.list(pods_, "", options);
    const auto listed = co_await std::move(listing);
    EXPECT_TRUE(listed);
    EXPECT_EQ(server_.asked, "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn-1&limit=500  ");
    EXPECT_EQ(listed->revision, 7u);
    EXPECT_EQ(listed->continue_token, "more");
    EXPECT_EQ(listed->items.at(0).view(),
              R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}})");
    server_.status = 404;
    server_.answer =
        R"({"kind":"Status","reason":"NotFound","message":"pods \"a\" not found","code":404})";
    const auto none = co_await api.get(pods_, "ns", "a");
    EXPECT_TRUE(none.is(Code::not_found));
    EXPECT_EQ(none.error().message(), "pods \"a\" not found");
  }

  Task<void> writes(Api& api) {
    server_.status = 201;
    server_.answer = "{}";
    std::string object = "{\"x\":1}";
    auto creating = api.create(pods_, "ns", object);
    EXPECT_TRUE(co_await std::move(creating));
    EXPECT_EQ(server_.asked, "POST /api/v1/namespaces/ns/pods application/json {\"x\":1}");
    const WriteOptions options;
    auto patching = api.patch(pods_, "ns", "a", PatchType::strategic, object, options, "status");
    EXPECT_TRUE(co_await std::move(patching));
    EXPECT_EQ(server_.asked,
              "PATCH /api/v1/namespaces/ns/pods/a/status application/strategic-merge-patch+json "
              "{\"x\":1}");
  }

  Task<void> watches(Api& api) {
    const std::string object =
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","resourceVersion":"9"}})";
    server_.answer =
        "{\"type\":\"ADDED\",\"object\":" + object + "}\n" + "{ \"object\": " + object +
        ", \"type\":\"MODIFIED\"}\n" +
        R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12"}}})" + "\n" +
        R"({"type":"ERROR","object":{"kind":"Status","reason":"Expired","code":410,"message":"too old"}})" +
        "\n";
    ListOptions options;
    options.revision = 8;
    auto watching = api.watch(pods_, "", options);
    auto watch = co_await std::move(watching);
    EXPECT_TRUE(watch) << watch.error().message();
    if (!watch) co_return;
    EXPECT_EQ(server_.asked,
              "GET /api/v1/pods?resourceVersion=8&watch=true&allowWatchBookmarks=true  ");
    const WatchEvent::Type types[] = {WatchEvent::Type::added, WatchEvent::Type::modified};
    for (const auto type : types) {
      const auto event = co_await (*watch)->next();
      EXPECT_TRUE(event && event->type == type && event->revision == 9);
      EXPECT_EQ(event->object.view(), object);
    }
    const auto bookmark = co_await (*watch)->next();
    EXPECT_TRUE(bookmark && bookmark->type == WatchEvent::Type::bookmark &&
                bookmark->revision == 12);
    const auto expired = co_await (*watch)->next();
    EXPECT_TRUE(expired.is(Code::expired));
    const auto ended = co_await (*watch)->next();
    EXPECT_TRUE(ended.is(Code::unavailable));
  }

  boost::asio::io_context loop_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  CannedServer server_;
  const schema::Resource& pods_ = resource("", "v1", "pods");
};

TEST_F(RemoteApiTest, reads_objects_lists_and_errors) { with_api(&RemoteApiTest::reads); }
TEST_F(RemoteApiTest, writes_with_the_right_path_and_type) { with_api(&RemoteApiTest::writes); }
TEST_F(RemoteApiTest, follows_a_watch_to_its_end) { with_api(&RemoteApiTest::watches); }

TEST(WatchEvent, that_is_none_is_refused) {
  for (const char* line : {"", "{}", "[1]", R"({"type":"ADDED"})", R"({"type":"ADDED","object":7})",
                           R"({"type":"OTHER","object":{}})", R"({"type":"ADDED","object":{}}})"})
    EXPECT_TRUE(decode_watch_event(line).is(Code::unavailable)) << line;
}

}  // namespace
}  // namespace kinglet::client
