#include "net/internal/websocket.h"

#include "net/internal/test_server.h"
#include "net/websocket_client.h"
#include "net/websocket_offer.h"

namespace kinglet::net::testing {
namespace {

class WebSocketTest : public ServerTest {
 public:
  Task<void> echoes();
  Task<void> refusals();
  Task<void> vanishes();
  Task<void> breaks_rules();
  std::unique_ptr<Random> random_ = make_seeded_random(1);
};

TEST(WebSocketHandshake, the_accept_key_is_that_of_the_rfc) {
  EXPECT_EQ(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketHandshake, protocols_come_as_lists_and_as_rows) {
  Request request;
  request.headers.add("Sec-WebSocket-Protocol", "a, b ,,c");
  request.headers.add("sec-websocket-protocol", " d");
  EXPECT_EQ(offered_protocols(request), (std::vector<std::string>{"a", "b", "c", "d"}));
}

// Tables stand outside: g++ 12 cannot compile a list of strings inside a coroutine.
std::vector<std::string> two_protocols() { return {"v5.x", "v4.x"}; }

std::vector<std::string> messages_of_all_sizes() {
  return {"hi", "", std::string(100, 'm'), std::string(70000, 'l'), std::string(2 << 20, 'x')};
}

std::vector<std::string> bad_handshakes() {
  return {"Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
          "Sec-WebSocket-Version: 13\r\n"};
}

struct BadFrame {
  const char* name;
  std::string frame;
  std::string answer;  // the code in the close frame
};
std::vector<BadFrame> bad_frames() {
  return {
      {"unmasked", std::string("\x81\x02hi", 4), "\x03\xea"},
      {"reserved bit", std::string("\xc1\x82\x00\x00\x00\x00hi", 8), "\x03\xea"},
      {"bad UTF-8", std::string("\x81\x82\x00\x00\x00\x00\xff\xff", 8), "\x03\xef"},
      {"long ping", std::string("\x89\xfe\x00\x7e\x00\x00\x00\x00", 8), ""},
      {"too large", std::string("\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff\0\0\0\0x", 15),
       "\x03\xf1"},
  };
}

Task<void> WebSocketTest::echoes() {
  const std::string where = url("/ws?protocol=v5.x");
  const ClientTls tls = client_tls();
  const auto offered = two_protocols();
  auto task = dial_websocket(*system_clock_, *random_, where, tls, offered);
  auto socket = co_await std::move(task);
  EXPECT_TRUE(socket) << socket.error().message();
  if (!socket) co_return;
  EXPECT_EQ((*socket)->subprotocol(), "v5.x");
  for (const auto& message : messages_of_all_sizes()) {
    const bool binary = message.size() % 2 == 0;
    EXPECT_TRUE(co_await (*socket)->write(message, binary));
    auto back = co_await (*socket)->read();
    EXPECT_TRUE(back && *back && (*back)->data == message);
    EXPECT_TRUE(back && *back && (*back)->binary == binary);
  }
  const std::string close = "close";
  EXPECT_TRUE(co_await (*socket)->write(close, false));
  auto end = co_await (*socket)->read();
  EXPECT_TRUE(end && !*end);
  while (handler_.watching > 0) co_await handler_.changed.wait();
}
TEST_F(WebSocketTest, messages_go_both_ways) { run(echoes()); }
TEST_F(WebSocketTest, messages_go_both_ways_over_tls) {
  use_tls();
  run(echoes());
}

Task<void> WebSocketTest::refusals() {
  const auto plain = co_await get("/ws");
  EXPECT_EQ(plain ? plain->status : 0, 400);
  for (const auto& rows : bad_handshakes()) {
    auto transport = co_await connect();
    const std::string request =
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + rows +
        "\r\n";
    EXPECT_TRUE(co_await transport->write_all(request));
    const std::string answer = co_await read_until(*transport, "\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer;
  }
}
TEST_F(WebSocketTest, bad_handshakes_are_refused) { run(refusals()); }

Task<void> WebSocketTest::vanishes() {
  {
    const std::string where = url("/ws");
    const ClientTls tls = client_tls();
    const std::vector<std::string> none;
    auto task = dial_websocket(*system_clock_, *random_, where, tls, none);
    auto socket = co_await std::move(task);
    EXPECT_TRUE(socket);
  }
  while (handler_.last_error.empty()) co_await handler_.changed.wait();
  EXPECT_EQ(handler_.last_error, "the peer left without a close frame");
}
TEST_F(WebSocketTest, a_client_that_vanishes_is_noticed) { run(vanishes()); }

Task<void> WebSocketTest::breaks_rules() {
  for (const auto& c : bad_frames()) {
    SCOPED_TRACE(c.name);
    auto transport = co_await connect();
    EXPECT_TRUE(co_await transport->write_all(
        "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    const std::string head = co_await read_until(*transport, "\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101"));
    EXPECT_NE(head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), head.npos);
    const std::string frame = c.frame;
    EXPECT_TRUE(co_await transport->write_all(frame));
    transport->shutdown_write();
    const std::string answer = co_await read_until(*transport, "");
    EXPECT_EQ(answer.substr(0, 1), "\x88");
    EXPECT_EQ(answer.substr(std::min<size_t>(2, answer.size()), 2), c.answer);
  }
}
TEST_F(WebSocketTest, a_client_that_breaks_the_rules_is_told_so) { run(breaks_rules()); }

}  // namespace
}  // namespace kinglet::net::testing
