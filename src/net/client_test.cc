#include "net/client.h"

#include "net/internal/test_server.h"

namespace kinglet::net::testing {
namespace {

class Client : public ServerTest {
 public:
  Task<void> errors();
  Task<void> probes();
};

TEST(Url, is_taken_apart) {
  struct Case {
    const char* text;
    bool tls;
    const char* host;
    int port;
    const char* target;
    const char* host_header;
  };
  const Case cases[] = {
      {"http://a.b/c?d=e", false, "a.b", 80, "/c?d=e", "a.b"},
      {"HTTPS://a", true, "a", 443, "/", "a"},
      {"https://[fd00::1]:6443/x#y", true, "fd00::1", 6443, "/x", "[fd00::1]:6443"},
      {"http://127.0.0.1:8080?q", false, "127.0.0.1", 8080, "/?q", "127.0.0.1:8080"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto url = parse_url(c.text);
    ASSERT_TRUE(url);
    EXPECT_EQ(url->tls, c.tls);
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->target, c.target);
    EXPECT_EQ(host_header(*url), c.host_header);
  }
  for (const char* bad : {"", "a", "/x", "ftp://a/", "http://", "http:///x", "http://a:99999/",
                          "http://a b/", "http://[::1/", "http://a/\n"})
    EXPECT_TRUE(parse_url(bad).is(Code::bad_request)) << bad;
}

Task<void> Client::errors() {
  ClientRequest request;
  request.url = "nonsense";
  auto answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::bad_request));
  request.url = url("/hello");
  request.headers.add("X", "a\r\nInjected: yes");
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::bad_request));
  request = {};
  request.url = "http://127.0.0.1:1/";
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::unavailable));
  request.url = url("/watch");
  request.timeout = 50ms;
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::timeout));
  while (handler_.watching > 0) co_await handler_.changed.wait();
  request = {};
  request.url = url("/pieces?n=100");
  request.body_bytes_max = 1000;
  answer = co_await send(request);
  EXPECT_TRUE(answer.is(Code::too_large));
}
TEST_F(Client, says_what_went_wrong) { run(errors()); }

Task<void> Client::probes() {
  const std::string host = "127.0.0.1";
  const auto open = co_await probe_tcp(*system_clock_, host, server_->port(), 5s);
  EXPECT_TRUE(open);
  const auto closed = co_await probe_tcp(*system_clock_, host, 1, 5s);
  EXPECT_TRUE(closed.is(Code::unavailable));
}
TEST_F(Client, probes_a_port) { run(probes()); }

}  // namespace
}  // namespace kinglet::net::testing
