#include "net/internal/test_server.h"

namespace kinglet::net::testing {
namespace {

class Http1 : public ServerTest {
 public:
  // Sends `request` and returns everything until the server closes or `end` appears.
  Task<std::string> ask(std::string request, std::string end = "") {
    auto transport = co_await connect();
    EXPECT_TRUE(co_await transport->write_all(request));
    co_return co_await read_until(*transport, end);
  }
  Task<void> simple_requests();
  Task<void> answers_without_body();
  Task<void> keeps_alive_and_pipelines();
  Task<void> refusals();
  Task<void> bodies();
  Task<void> continues();
  Task<void> early_answer();
  Task<void> large_stream();
  Task<void> unfinished_stream();
  Task<void> peer_leaves();
  Task<void> upgrades();
  Task<void> http10();
};

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

Task<void> Http1::simple_requests() {
  const auto hello = co_await get("/hello?x=1");
  EXPECT_TRUE(hello) << hello.error().message();
  if (!hello) co_return;
  EXPECT_EQ(hello->status, 200);
  EXPECT_EQ(hello->body, "hello\n");
  EXPECT_EQ(hello->headers.get("content-type"), "text/plain; charset=utf-8");
  EXPECT_FALSE(hello->headers.get("date").empty());
  EXPECT_EQ(*handler_.last_request.query_value("x"), "1");
  EXPECT_TRUE(handler_.last_peer.address.starts_with("127.0.0.1:"));
  const auto missing = co_await get("/nothing");
  EXPECT_EQ(missing->status, 404);
}
TEST_F(Http1, serves_plain) { run(simple_requests()); }
TEST_F(Http1, serves_tls) {
  use_tls();
  run(simple_requests());
}

Task<void> Http1::answers_without_body() {
  const std::string head =
      co_await ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(head.find("content-length: 6"), head.npos) << head;
  EXPECT_EQ(head.find("hello"), head.npos);
  const std::string none =
      co_await ask("GET /empty HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(none.starts_with("HTTP/1.1 204 No Content\r\n")) << none;
  EXPECT_EQ(none.find("content-length"), none.npos);
  const std::string silent =
      co_await ask("GET /silent HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(silent.starts_with("HTTP/1.1 500 ")) << silent;
}
TEST_F(Http1, answers_without_a_body) { run(answers_without_body()); }

Task<void> Http1::keeps_alive_and_pipelines() {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  many += "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string answers = co_await ask(many);
  EXPECT_EQ(count(answers, "HTTP/1.1 200 OK"), 2000u);
  EXPECT_TRUE(answers.ends_with("no such page\n"));
}
TEST_F(Http1, keeps_alive_and_pipelines) { run(keeps_alive_and_pipelines()); }

Task<void> Http1::refusals() {
  struct Case {
    const char* name;
    std::string request;
    const char* answer;
  };
  const std::vector<Case> cases = {
      {"garbage", "\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 "},
      {"no host", "GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
      {"two hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 "},
      {"bad escape", "GET /%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "},
      {"large head", "GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(70000, 'a') + "\r\n\r\n",
       "HTTP/1.1 431 "},
      {"smuggling",
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 400 "},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string request = c.request;
    const std::string answer = co_await ask(request, "\r\n");
    EXPECT_TRUE(answer.starts_with(c.answer)) << answer;
  }
  const auto still = co_await get("/hello");
  EXPECT_TRUE(still);
}
TEST_F(Http1, refuses_what_is_no_request) { run(refusals()); }

Task<void> Http1::bodies() {
  ClientRequest request;
  request.method = "POST";
  request.url = url("/echo");
  request.body = std::string(3 << 20, 'b');
  request.tls = client_tls();
  const std::string sent = request.body;
  const auto echo = co_await send(request);
  EXPECT_TRUE(echo && echo->body == sent);
  const std::string chunked = co_await ask(
      "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
  EXPECT_TRUE(chunked.ends_with("\r\n\r\nabcdefg")) << chunked;
  const std::string cut = co_await ask(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "\r\n");
  EXPECT_TRUE(cut.starts_with("HTTP/1.1 400")) << cut;
  const std::string large =
      co_await ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "\r\n");
  EXPECT_TRUE(large.starts_with("HTTP/1.1 413")) << large;
}
TEST_F(Http1, reads_bodies) { run(bodies()); }
TEST_F(Http1, reads_bodies_over_tls) {
  use_tls();
  run(bodies());
}

Task<void> Http1::continues() {
  auto transport = co_await connect();
  EXPECT_TRUE(co_await transport->write_all(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"));
  const std::string go = co_await read_until(*transport, "\r\n\r\n");
  EXPECT_EQ(go, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(co_await transport->write_all("ok"));
  const std::string answer = co_await read_until(*transport, "\r\n\r\nok");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
}
TEST_F(Http1, says_continue_when_the_handler_wants_the_body) { run(continues()); }

Task<void> Http1::early_answer() {
  // The client insists on sending a megabyte first; it must still see the answer.
  ClientRequest request;
  request.method = "POST";
  request.url = url("/too-large");
  request.body = std::string(30 << 20, 'b');
  const auto answer = co_await send(request);
  EXPECT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer ? answer->status : 0, 413);
  // A small one is read and dropped, and the connection stays.
  const std::string two = co_await ask(
      "POST /too-large HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd"
      "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(two.ends_with("hello\n")) << two;
}
TEST_F(Http1, may_answer_before_the_body_is_read) { run(early_answer()); }

Task<void> Http1::large_stream() {
  const auto stream = co_await get("/stream?n=160");
  EXPECT_TRUE(stream) << stream.error().message();
  EXPECT_EQ(stream ? stream->body.size() : 0, 160u * 64 * 1024);
  const auto pieces = co_await get("/pieces?n=10000");
  EXPECT_EQ(pieces ? pieces->body.size() : 0, 10000u * 1024);
}
TEST_F(Http1, streams_large_answers) { run(large_stream()); }
TEST_F(Http1, streams_large_answers_over_tls) {
  use_tls();
  run(large_stream());
}

Task<void> Http1::unfinished_stream() {
  const auto cut = co_await get("/stream?n=3&unfinished=1");
  EXPECT_TRUE(cut.is(Code::unavailable));
}
TEST_F(Http1, a_stream_that_the_handler_leaves_is_seen_as_cut) { run(unfinished_stream()); }

Task<void> Http1::peer_leaves() {
  {
    auto transport = co_await connect();
    EXPECT_TRUE(co_await transport->write_all("GET /watch HTTP/1.1\r\nHost: x\r\n\r\n"));
    co_await read_until(*transport, "event\n");
    EXPECT_EQ(handler_.watching, 1);
  }
  while (handler_.watching > 0) co_await handler_.changed.wait();
}
TEST_F(Http1, a_watch_ends_when_its_client_leaves) { run(peer_leaves()); }
TEST_F(Http1, a_watch_ends_when_its_client_leaves_over_tls) {
  use_tls();
  run(peer_leaves());
}

Task<void> Http1::upgrades() {
  auto transport = co_await connect();
  EXPECT_TRUE(co_await transport->write_all(
      "POST /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly "));
  std::string all = co_await read_until(*transport, "early ");
  EXPECT_TRUE(all.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << all;
  EXPECT_TRUE(co_await transport->write_all("late "));
  all = co_await read_until(*transport, "late ");
  transport->shutdown_write();
  all = co_await read_until(*transport, "");
  EXPECT_EQ(all, "bye");
  const std::string no =
      co_await ask("GET /upgrade HTTP/1.1\r\nHost: x\r\n\r\n", "upgrade request");
  EXPECT_TRUE(no.starts_with("HTTP/1.1 400")) << no;
}
TEST_F(Http1, an_upgrade_hands_over_the_stream) { run(upgrades()); }

Task<void> Http1::http10() {
  const std::string one = co_await ask("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(one.ends_with("hello\n")) << one;
  const std::string stream = co_await ask("GET /stream?n=1 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(stream.find("chunked"), stream.npos);
  EXPECT_TRUE(stream.ends_with(std::string(65536, 's')));
}
TEST_F(Http1, speaks_to_old_clients) { run(http10()); }

}  // namespace
}  // namespace kinglet::net::testing
