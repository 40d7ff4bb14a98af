// An agent's tunnel and the server's side of it, over loopback: what a client asks of the server
// arrives at the node.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "base/deadline.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/server.h"
#include "net/websocket_client.h"
#include "tunnel/agent_tunnel.h"
#include "tunnel/control.h"
#include "tunnel/nodes.h"

namespace kinglet::tunnel {
namespace {

// What a node does with requests, by their path.
class NodeHandler final : public net::Handler {
 public:
  Task<void> serve(net::Exchange& exchange) override {
    const auto done = co_await route(exchange);
    (void)done;
  }

  int waiting = 0;
  Signal changed;

 private:
  Task<Result<void>> route(net::Exchange& exchange) {
    const std::string path = exchange.request().path;
    if (path == "/hello") {
      const std::string text = "hello " + exchange.request().target + " " +
                               std::string(exchange.request().headers.get("x-word"));
      co_return co_await net::respond_text(exchange, 200, text);
    }
    if (path == "/echo") {
      KL_TRY(body, co_await exchange.read_body(8 << 20));
      std::vector<Bytes> pieces(1, Bytes(body));
      net::Headers headers;
      co_return co_await exchange.respond(201, std::move(headers), std::move(pieces));
    }
    if (path == "/long") {
      net::Headers headers;
      headers.add("content-type", "text/plain");
      KL_CHECK(co_await exchange.start(200, std::move(headers)));
      const std::vector<Bytes> piece(1, Bytes(std::string(100'000, 'l')));
      for (int i = 0; i < 50; ++i) KL_CHECK(co_await exchange.write(piece));
      co_return co_await exchange.finish();
    }
    if (path == "/wait") co_return co_await wait(exchange);
    if (path == "/ws") co_return co_await websocket(exchange);
    if (path == "/silent") co_return Result<void>();
    co_return co_await net::respond_text(exchange, 404, "no such page\n");
  }

  Task<Result<void>> wait(net::Exchange& exchange) {
    struct Here {
      NodeHandler& self;
      ~Here() {
        --self.waiting;
        self.changed.notify_all();
      }
    } here{*this};
    ++waiting;
    net::Headers headers;
    KL_CHECK(co_await exchange.start(200, std::move(headers)));
    changed.notify_all();
    Signal never;
    for (;;) co_await never.wait();
  }

  Task<Result<void>> websocket(net::Exchange& exchange) {
    std::string protocol = "echo.test";
    KL_TRY(socket, co_await exchange.accept_websocket(std::move(protocol)));
    for (;;) {
      KL_TRY(message, co_await socket->read());
      if (!message) co_return Result<void>();
      if (message->data == "close") {
        std::string reason = "bye";
        co_return co_await socket->close(1000, std::move(reason));
      }
      KL_CHECK(co_await socket->write(message->data, message->binary));
    }
  }
};

// The server: tunnels arrive at their paths, everything else is for the node "edge".
class ServerHandler final : public net::Handler {
 public:
  explicit ServerHandler(Nodes& nodes) : nodes_(nodes) {}
  Task<void> serve(net::Exchange& exchange) override {
    const std::string path = exchange.request().path, prefix = kStreamPathPrefix;
    std::string name = "edge";
    if (path == kControlPath) {
      co_await nodes_.serve_control(exchange, std::move(name));
    } else if (path.starts_with(prefix)) {
      co_await nodes_.serve_stream(exchange, std::move(name),
                                   std::stoull(path.substr(prefix.size())));
    } else if (auto* node = nodes_.find("edge")) {
      co_await node->serve(exchange);
    } else {
      const auto sent = co_await net::respond_text(exchange, 503, "not connected\n");
      (void)sent;
    }
  }

 private:
  Nodes& nodes_;
};

class TunnelTest : public ::testing::Test {
 public:
  using Body = Task<void> (TunnelTest::*)();

  void with_tunnel(Body body) {
    auto whole = run_all(body);
    kinglet::testing::run_task<void>(loop_, std::move(whole));
  }

  Task<void> run_all(Body body) {
    net::ServerOptions options;
    options.address = "127.0.0.1";
    options.port = 0;
    auto server = net::listen(*clock_, *metrics_, server_handler_, options);
    EXPECT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
    EXPECT_TRUE(disk_->make_dirs("/agent"));
    servers_ = std::make_unique<ServerList>(*disk_, "/agent/servers.json",
                                            std::vector<std::string>{url("")});
    agent_ = new_agent();
    TaskGroup group;
    group.add("server", server_->run());
    group.add("nodes", nodes_.run());
    group.add("agent", agent_parts_.run());
    agent_parts_.add("tunnel", agent_->run());
    group.add("body", then_cancel(group, (this->*body)()));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended) << ended.error().message();
  }

  std::unique_ptr<AgentTunnel> new_agent() {
    AgentTunnelOptions options;
    auto agent = std::make_unique<AgentTunnel>(*clock_, *random_, *servers_, std::move(options));
    agent->set_handler(&node_handler_);
    agent->on_connected([this](const std::string&) { connected_.notify_all(); });
    return agent;
  }

  static Task<void> then_cancel(TaskGroup& group, Task<void> body) {
    co_await std::move(body);
    group.cancel();
  }

  Task<void> wait_connected() {
    while (!agent_->status().connected || !nodes_.find("edge")) co_await connected_.wait();
  }

  std::string url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
  }

  Task<net::ClientResponse> ask(const char* method, const char* path, std::string_view body = {}) {
    net::ClientRequest request;
    request.method = method;
    request.url = url(path);
    request.body = body;
    request.headers.add("x-word", "word");
    auto fetching = net::fetch(*clock_, std::move(request));
    auto answer = co_await std::move(fetching);
    EXPECT_TRUE(answer) << answer.error().message();
    co_return answer ? std::move(*answer) : net::ClientResponse();
  }

  Task<void> requests() {
    co_await wait_connected();
    const auto hello = co_await ask("GET", "/hello?a=b%20c");
    EXPECT_EQ(hello.status, 200);
    EXPECT_EQ(hello.body, "hello /hello?a=b%20c word");
    const std::string body(3'000'000, 'e');
    const auto echo = co_await ask("POST", "/echo", body);
    EXPECT_EQ(echo.status, 201);
    EXPECT_EQ(echo.body, body);
    const auto empty = co_await ask("POST", "/echo");
    EXPECT_EQ(empty.status, 201);
    const auto longer = co_await ask("GET", "/long");
    EXPECT_EQ(longer.body.size(), 5'000'000u);
    EXPECT_EQ((co_await ask("GET", "/nothing")).status, 404);
    EXPECT_EQ((co_await ask("GET", "/silent")).status, 500);
    EXPECT_EQ(agent_->status().connects, 1u);
  }

  Task<void> websockets() {
    co_await wait_connected();
    net::ClientTls tls;
    auto dialing =
        net::dial_websocket(*clock_, *random_, url("/ws"), tls, {"other.test", "echo.test"});
    auto socket = co_await std::move(dialing);
    EXPECT_TRUE(socket) << socket.error().message();
    if (!socket) co_return;
    EXPECT_EQ((*socket)->subprotocol(), "echo.test");
    for (const size_t size : {0u, 5u, 65'536u, 300'000u}) {
      const std::string data(size, 'w');
      const auto written = co_await (*socket)->write(data, false);
      EXPECT_TRUE(written);
      const auto back = co_await (*socket)->read();
      EXPECT_TRUE(back && *back && (*back)->data == data && !(*back)->binary) << size;
    }
    const std::string end = "close";
    const auto written = co_await (*socket)->write(end);
    EXPECT_TRUE(written);
    const auto closed = co_await (*socket)->read();
    EXPECT_TRUE(closed && !*closed);
  }

  // A client that leaves (its deadline passes) cancels what the node does for it.
  Task<void> cancellation() {
    co_await wait_connected();
    net::ClientRequest request;
    request.url = url("/wait");
    auto fetching = net::fetch(*clock_, std::move(request));
    TaskGroup group;
    struct Asking {
      static Task<void> run(Task<Result<net::ClientResponse>> fetching) {
        const auto answer = co_await std::move(fetching);
        (void)answer;
      }
      static Task<void> leave(NodeHandler& node, TaskGroup& group) {
        while (node.waiting == 0) co_await node.changed.wait();
        group.cancel();
      }
    };
    group.add("ask", Asking::run(std::move(fetching)));
    group.add("leave", Asking::leave(node_handler_, group));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended);
    while (node_handler_.waiting > 0) co_await node_handler_.changed.wait();
  }

  Task<void> newest_wins() {
    co_await wait_connected();
    auto* first = agent_.get();
    auto second = new_agent();
    agent_parts_.add("second", second->run());
    while (!second->status().connected) co_await connected_.wait();
    // The older one is told, and comes back; whoever was last is asked.
    while (first->status().connects < 2 && second->status().connects < 2)
      co_await connected_.wait();
    agent_parts_.cancel();
    co_await parts_ended();
  }
  Task<void> parts_ended() {
    while (agent_parts_.running() > 0) co_await clock_->sleep(10ms);
  }

  Task<void> loss_and_return() {
    co_await wait_connected();
    std::vector<client::NodeLiveness::State> seen;
    Signal told;
    nodes_.on_change([&](const std::string& name) {
      seen.push_back(nodes_.state(name));
      told.notify_all();
    });
    EXPECT_EQ(nodes_.state("edge"), client::NodeLiveness::State::alive);
    EXPECT_EQ(nodes_.state("other"), client::NodeLiveness::State::unknown);
    agent_parts_.cancel();  // without a goodbye
    while (seen.empty()) co_await told.wait();
    EXPECT_EQ(seen.back(), client::NodeLiveness::State::lost);
    EXPECT_EQ((co_await ask("GET", "/hello")).status, 503);
  }

  Task<void> stays_for_a_goodbye() {
    co_await wait_connected();
    const auto said = co_await agent_->goodbye();
    EXPECT_TRUE(said);
    agent_parts_.cancel();
    while (nodes_.connected() > 0) co_await clock_->sleep(10ms);
    co_await clock_->sleep(1500ms);
    EXPECT_EQ(nodes_.state("edge"), client::NodeLiveness::State::alive);
  }

  Task<void> learns_servers() {
    co_await wait_connected();
    addresses_ = {"https://10.9.9.9:6443"};
    nodes_.announce_servers();
    const Urls want = {url(""), "https://10.9.9.9:6443"};
    while (servers_->in_order() != want) co_await clock_->sleep(5ms);
  }

  using Urls = std::vector<std::string>;
  NodesOptions nodes_options() {
    NodesOptions options;
    options.servers = [this] { return addresses_; };
    return options;
  }

  boost::asio::io_context loop_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Random> random_ = make_seeded_random(1);
  std::unique_ptr<Metrics> metrics_ = make_metrics();
  std::unique_ptr<FakeDisk> disk_ = make_fake_disk();
  Urls addresses_;
  Nodes nodes_{*clock_, *metrics_, nodes_options()};
  ServerHandler server_handler_{nodes_};
  NodeHandler node_handler_;
  Signal connected_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<ServerList> servers_;
  std::unique_ptr<AgentTunnel> agent_;
  TaskGroup agent_parts_{TaskGroup::WhenEmpty::keep_open};
};

TEST_F(TunnelTest, requests_of_every_kind_reach_the_node) { with_tunnel(&TunnelTest::requests); }
TEST_F(TunnelTest, websockets_keep_their_messages) { with_tunnel(&TunnelTest::websockets); }
TEST_F(TunnelTest, a_client_that_leaves_cancels_the_nodes_work) {
  with_tunnel(&TunnelTest::cancellation);
}
TEST_F(TunnelTest, the_newest_connection_of_a_node_wins) { with_tunnel(&TunnelTest::newest_wins); }
TEST_F(TunnelTest, a_silent_node_is_lost) { with_tunnel(&TunnelTest::loss_and_return); }
TEST_F(TunnelTest, a_goodbye_gives_time_for_a_restart) {
  with_tunnel(&TunnelTest::stays_for_a_goodbye);
}
TEST_F(TunnelTest, the_agent_learns_where_servers_are) { with_tunnel(&TunnelTest::learns_servers); }

}  // namespace
}  // namespace kinglet::tunnel
