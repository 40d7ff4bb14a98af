#include "net/server.h"

#include "net/internal/deadlines.h"
#include "net/internal/test_server.h"

namespace kinglet::net::testing {
namespace {

class ServerTests : public ServerTest {
 public:
  Task<void> client_certificates();
  Task<void> certificate_swap();
  Task<void> limits();
  Task<void> handler_bug();
  Task<void> silence();
  Task<void> trickled_head();
  Task<void> stalled_body();
  Task<void> stalled_reader();
  Task<void> stalled_handshake();
  Task<void> idle();
  Task<void> idle_http2();
  Task<void> slow_but_alive();

  void use_virtual_time() { sim_clock_ = make_sim_clock(system_clock_->wall()); }
  // How long the server keeps a connection on which only `sent` has been said, in virtual time.
  Task<Duration> patience(std::string sent) {
    auto transport = co_await connect();
    const auto said = co_await transport->write_all(sent);
    EXPECT_TRUE(said);
    const TimePoint begin = sim_clock_->now();
    co_await read_until(*transport, "");
    co_return sim_clock_->now() - begin;
  }
};

Task<void> ServerTests::client_certificates() {
  ClientRequest request;
  request.url = url("/hello");
  request.tls = client_tls();
  request.tls.key_pair = pki_->client;
  auto answer = co_await send(request);
  EXPECT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(handler_.last_peer.certificate_verified);
  EXPECT_EQ(handler_.last_peer.common_name, "alice");
  EXPECT_EQ(handler_.last_peer.organizations, (std::vector<std::string>{"system:masters", "b"}));
  // Without one, or with one of another CA, the peer is nobody; it is not turned away here.
  answer = co_await get("/hello");
  EXPECT_FALSE(handler_.last_peer.certificate_verified);
  const TestPki other = TestPki::make(system_clock_->wall());
  request.tls.key_pair = other.client;
  handler_.last_peer = {};
  answer = co_await send(request);
  EXPECT_TRUE(answer) << answer.error().message();
  EXPECT_FALSE(handler_.last_peer.certificate_verified);
  EXPECT_EQ(handler_.last_peer.common_name, "");
  // A server's certificate is no client's.
  request.tls.key_pair = pki_->server;
  answer = co_await send(request);
  EXPECT_FALSE(handler_.last_peer.certificate_verified);
  // The client looks at the server's as well.
  request.tls = client_tls();
  request.tls.ca_pem = other.ca.certificate_pem;
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::unauthorized));
  request.tls = client_tls();
  request.tls.server_name = "elsewhere";
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::unauthorized));
  request.tls.verify = false;
  answer = co_await send(request);
  EXPECT_TRUE(answer);
}
TEST_F(ServerTests, knows_its_clients_by_their_certificates) {
  use_tls();
  run(client_certificates());
}

Task<void> ServerTests::certificate_swap() {
  auto old_connection = co_await connect();
  const TestPki next = TestPki::make(system_clock_->wall());
  EXPECT_TRUE(server_->set_certificate(next.server));
  auto answer = co_await get("/hello");
  EXPECT_TRUE(answer.is(Code::unauthorized));  // still trusts the old CA
  pki_->ca = next.ca;
  answer = co_await get("/hello");
  EXPECT_TRUE(answer) << answer.error().message();
  EXPECT_TRUE(co_await old_connection->write_all("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
  const std::string still = co_await read_until(*old_connection, "hello\n");
  EXPECT_TRUE(still.starts_with("HTTP/1.1 200")) << still;
  EXPECT_TRUE(server_->set_certificate({next.server.certificate_pem, pki_->client.key_pem})
                  .is(Code::invalid));
}
TEST_F(ServerTests, a_new_certificate_needs_no_restart) {
  use_tls();
  run(certificate_swap());
}

Task<void> ServerTests::limits() {
  auto first = co_await connect();
  auto second = co_await connect();
  EXPECT_TRUE(co_await first->write_all("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
  std::string hello = co_await read_until(*first, "hello\n");
  EXPECT_TRUE(co_await second->write_all("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
  hello = co_await read_until(*second, "hello\n");
  auto third = co_await connect();
  const std::string nothing = co_await read_until(*third, "");
  EXPECT_EQ(nothing, "");
  first.reset();
  for (int i = 0; i < 100; ++i) {
    const auto again = co_await get("/hello");
    if (again) break;
    EXPECT_LT(i, 99);
  }
}
TEST_F(ServerTests, one_address_cannot_take_all_connections) {
  options_.limits.connections_per_address_max = 2;
  run(limits());
}
TEST_F(ServerTests, connections_are_limited) {
  options_.limits.connections_max = 2;
  run(limits());
}

Task<void> ServerTests::handler_bug() {
  const auto answer = co_await get("/throw");
  EXPECT_TRUE(answer.is(Code::unavailable));
  const auto next = co_await get("/hello");
  EXPECT_TRUE(next);
}
TEST_F(ServerTests, a_handler_that_throws_costs_its_connection_only) { run(handler_bug()); }

TEST_F(ServerTests, listening_tells_what_is_wrong) {
  auto first = listen(*system_clock_, *metrics_, handler_, options_);
  ASSERT_TRUE(first);
  auto options = options_;
  options.port = (*first)->port();
  const auto second = listen(*system_clock_, *metrics_, handler_, options);
  ASSERT_TRUE(second.is(Code::io));
  EXPECT_NE(second.error().message().find("address in use"), std::string::npos);
  options = options_;
  options.address = "nowhere";
  EXPECT_TRUE(listen(*system_clock_, *metrics_, handler_, options).is(Code::invalid));
  options = options_;
  options.key_pair = {"x", "y"};
  EXPECT_TRUE(listen(*system_clock_, *metrics_, handler_, options).is(Code::invalid));
  options = options_;
  options.address = "::";
  EXPECT_TRUE(listen(*system_clock_, *metrics_, handler_, options));
}

// Slow clients, in virtual time: each wait is as long as its limit, give or take the resolution.
#define EXPECT_ABOUT(duration, limit)           \
  do {                                          \
    const Duration seen = duration;             \
    EXPECT_GE(seen, limit);                     \
    EXPECT_LE(seen, limit + kDeadlineStep * 4); \
  } while (false)

Task<void> ServerTests::silence() {
  const Duration waited = co_await patience("");
  EXPECT_ABOUT(waited, options_.limits.handshake_timeout);
}
TEST_F(ServerTests, a_client_that_says_nothing_is_dropped) {
  use_virtual_time();
  run_in_virtual_time(silence(), 1min);
}

Task<void> ServerTests::trickled_head() {
  auto transport = co_await connect();
  const TimePoint begin = sim_clock_->now();
  bool alive = true;
  for (int i = 0; i < 60 && alive; ++i) {
    alive = (co_await transport->write_all(i == 0 ? "GET / HTTP/1.1\r\n" : "A: b\r\n")).has_value();
    co_await sim_clock_->sleep(1s);
    char byte[64];
    const auto read = transport->read_now(byte);
    alive = alive && read.state == Transport::Io::blocked;
  }
  const Duration waited = sim_clock_->now() - begin;
  EXPECT_GE(waited, options_.limits.header_timeout);
  EXPECT_LE(waited, options_.limits.header_timeout + 3s);
}
TEST_F(ServerTests, a_slow_loris_gets_no_more_than_the_header_timeout) {
  use_virtual_time();
  run_in_virtual_time(trickled_head(), 5min);
}

Task<void> ServerTests::stalled_body() {
  auto transport = co_await connect();
  EXPECT_TRUE(co_await transport->write_all(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"));
  const TimePoint begin = sim_clock_->now();
  const std::string answer = co_await read_until(*transport, "\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 504") || answer.starts_with("HTTP/1.1 408")) << answer;
  EXPECT_ABOUT(sim_clock_->now() - begin, options_.limits.body_timeout);
}
TEST_F(ServerTests, a_body_that_does_not_come_is_a_timeout) {
  use_virtual_time();
  run_in_virtual_time(stalled_body(), 5min);
}

Task<void> ServerTests::stalled_reader() {
  auto transport = co_await connect();
  EXPECT_TRUE(co_await transport->write_all("GET /stream?n=1000 HTTP/1.1\r\nHost: x\r\n\r\n"));
  const TimePoint begin = sim_clock_->now();
  while (handler_.last_error.empty()) co_await handler_.changed.wait();
  EXPECT_EQ(handler_.last_error, "the peer takes no data");
  EXPECT_ABOUT(sim_clock_->now() - begin, options_.limits.write_timeout);
}
TEST_F(ServerTests, a_reader_that_takes_nothing_is_cut) {
  use_virtual_time();
  run_in_virtual_time(stalled_reader(), 5min);
}
TEST_F(ServerTests, a_reader_that_takes_nothing_is_cut_over_tls) {
  use_virtual_time();
  use_tls();
  run_in_virtual_time(stalled_reader(), 5min);
}

Task<void> ServerTests::slow_but_alive() {
  auto transport = co_await connect();
  EXPECT_TRUE(co_await transport->write_all(
      "GET /stream?n=200 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  size_t total = 0;
  for (;;) {
    std::string buffer(1 << 20, '\0');
    const auto read = transport->read_now(std::span<char>(buffer));
    if (read.state == Transport::Io::blocked) {
      const auto readable = co_await transport->wait(Transport::Direction::read);
      if (!readable) break;
      continue;
    }
    if (read.state != Transport::Io::ok) break;
    total += read.bytes;
    co_await sim_clock_->sleep(2s);
  }
  EXPECT_GT(total, 200u * 64 * 1024);
}
TEST_F(ServerTests, a_reader_that_is_only_slow_gets_everything) {
  use_virtual_time();
  run_in_virtual_time(slow_but_alive(), 1h);
}

Task<void> ServerTests::stalled_handshake() {
  pki_.reset();  // a plain connection to the TLS port
  const Duration waited = co_await patience("\x16\x03");
  EXPECT_ABOUT(waited, options_.limits.handshake_timeout);
}
TEST_F(ServerTests, a_handshake_that_does_not_end_is_cut) {
  use_virtual_time();
  use_tls();
  run_in_virtual_time(stalled_handshake(), 5min);
}

Task<void> ServerTests::idle() {
  const Duration waited = co_await patience("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_ABOUT(waited, options_.limits.idle_timeout);
}
TEST_F(ServerTests, an_idle_connection_is_closed_after_minutes) {
  use_virtual_time();
  run_in_virtual_time(idle(), 1h);
}
TEST_F(ServerTests, an_idle_connection_is_closed_after_minutes_over_tls) {
  use_virtual_time();
  use_tls();
  run_in_virtual_time(idle(), 1h);
}

Task<void> ServerTests::idle_http2() {
  auto transport = co_await connect("h2");
  const std::string preface =
      std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);
  EXPECT_TRUE(co_await transport->write_all(preface));
  const TimePoint begin = sim_clock_->now();
  co_await read_until(*transport, "");
  EXPECT_ABOUT(sim_clock_->now() - begin, options_.limits.idle_timeout);
}
TEST_F(ServerTests, an_idle_http2_connection_is_closed_after_minutes) {
  use_virtual_time();
  use_tls();
  run_in_virtual_time(idle_http2(), 1h);
}

}  // namespace
}  // namespace kinglet::net::testing
