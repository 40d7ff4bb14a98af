// The client against the server of this module.
#include "net/h2_client.h"

#include "base/deadline.h"
#include "net/internal/connect_proxy.h"
#include "net/internal/test_server.h"

namespace kinglet::net {
namespace {
using testing::ServerTest;

class H2ClientTest : public ServerTest {
 public:
  using Body = Task<void> (H2ClientTest::*)(H2Client&);

  void with_client(Body body) { run(connect_and(body)); }

  Task<void> connect_and(Body body) {
    H2Options options;
    options.url = url("");
    options.tls = client_tls();
    if (pki_) options.tls.key_pair = pki_->client;
    auto connecting = connect_h2(*system_clock_, std::move(options));
    auto client = co_await std::move(connecting);
    EXPECT_TRUE(client) << client.error().message();
    if (!client) co_return;
    TaskGroup group;
    group.add("client", run_client(**client));
    group.add("body", then_cancel(group, (this->*body)(**client)));
    const auto ended = co_await group.run();
    EXPECT_TRUE(ended);
  }

  static Task<void> run_client(H2Client& client) {
    const auto ended = co_await client.run();
    EXPECT_FALSE(ended);
  }
  static Task<void> then_cancel(TaskGroup& group, Task<void> body) {
    co_await std::move(body);
    group.cancel();
  }

  static std::unique_ptr<H2Call> open(H2Client& client, std::string target,
                                      std::string method = "GET") {
    H2Request request;
    request.target = std::move(target);
    request.method = std::move(method);
    request.has_body = request.method == "POST";
    auto call = client.open(std::move(request));
    EXPECT_TRUE(call) << call.error().message();
    return std::move(*call);
  }
  static Task<std::string> answer(H2Call& call) {
    const auto status = co_await call.status();
    if (!status) co_return status.error().message();
    EXPECT_EQ(*status, 200);
    auto body = co_await read_all(call, 16 << 20);
    co_return body ? std::move(*body) : body.error().message();
  }

  Task<void> several(H2Client& client) {
    auto first = open(client, "/hello");
    auto second = open(client, "/pieces?n=3");
    const auto two = co_await answer(*second);
    const auto one = co_await answer(*first);
    EXPECT_EQ(one, "hello\n");
    EXPECT_EQ(two.size(), 3072u);
    EXPECT_FALSE(client.local_host().empty());
    EXPECT_EQ(client.peer_host(), "127.0.0.1");
  }

  Task<void> uploads(H2Client& client) {
    auto call = open(client, "/count", "POST");
    const std::string part(100'000, 'u');
    for (int i = 0; i < 50; ++i) {
      const auto written = co_await call->write(part);
      EXPECT_TRUE(written) << written.error().message();
    }
    const auto closed = co_await call->close_write();
    EXPECT_TRUE(closed);
    EXPECT_EQ(co_await answer(*call), "5000000");
  }

  Task<void> unread_stream_stalls_no_other(H2Client& client) {
    std::vector<std::unique_ptr<H2Call>> unread;
    // Twenty answers of a megabyte that nobody reads: five times the connection's window.
    for (int i = 0; i < 20; ++i) {
      unread.push_back(open(client, "/stream?n=16"));
      const auto status = co_await unread.back()->status();
      EXPECT_TRUE(status);
    }
    for (int i = 0; i < 5; ++i) {
      auto call = open(client, "/stream?n=4");
      EXPECT_EQ((co_await answer(*call)).size(), 4u * 64 * 1024);
    }
    EXPECT_EQ((co_await answer(*unread[7])).size(), 16u * 64 * 1024);
  }

  Task<void> upgrades(H2Client& client) {
    H2Request request;
    request.target = "/upgrade";
    request.protocol = "echo";
    auto opened = client.open(std::move(request));
    EXPECT_TRUE(opened);
    auto& call = **opened;
    EXPECT_EQ((co_await call.status()).value(), 200);
    const std::string word = "word";
    const auto written = co_await call.write(word);
    EXPECT_TRUE(written);
    char buffer[16];
    const auto got = co_await call.read(buffer);
    EXPECT_EQ(got ? std::string(buffer, *got) : "", "word");
    const auto closed = co_await call.close_write();
    EXPECT_TRUE(closed);
    EXPECT_EQ((co_await read_all(call, 100)).value(), "bye");
  }

  // Its handler ends when the client lets go.
  Task<void> cancels(H2Client& client) {
    auto call = open(client, "/watch");
    EXPECT_EQ((co_await call->status()).value(), 200);
    while (handler_.watching == 0) co_await handler_.changed.wait();
    call.reset();
    while (handler_.watching == 1) co_await handler_.changed.wait();
  }

  Task<void> reset_by_the_server(H2Client& client) {
    auto call = open(client, "/stream?n=1&unfinished=1");
    EXPECT_EQ((co_await call->status()).value(), 200);
    const auto body = co_await read_all(*call, 1 << 20);
    EXPECT_TRUE(body.is(Code::unavailable));
  }

  std::unique_ptr<H2Call> orphan_;
  Task<void> leaves_a_call(H2Client& client) {
    orphan_ = open(client, "/watch");
    EXPECT_EQ((co_await orphan_->status()).value(), 200);
  }
  Task<void> outlived() {
    co_await connect_and(&H2ClientTest::leaves_a_call);
    std::string rest;
    const auto body = co_await read_all(*orphan_, 100);
    EXPECT_TRUE(body.is(Code::unavailable));
    const auto written = co_await orphan_->close_write();
    EXPECT_TRUE(written);  // a GET has no body: nothing to say
    orphan_.reset();
  }

  Task<void> wrong_ca() {
    H2Options options;
    options.url = url("");
    options.tls.ca_pem = testing::TestPki::make(system_clock_->wall()).ca.certificate_pem;
    auto connecting = connect_h2(*system_clock_, std::move(options));
    const auto client = co_await std::move(connecting);
    EXPECT_TRUE(client.is(Code::unauthorized));
  }
};

TEST_F(H2ClientTest, answers_come_in_any_order) {
  use_tls();
  with_client(&H2ClientTest::several);
}
TEST_F(H2ClientTest, works_without_tls) { with_client(&H2ClientTest::several); }
TEST_F(H2ClientTest, a_long_body_is_sent_at_the_readers_pace) {
  use_tls();
  with_client(&H2ClientTest::uploads);
}
TEST_F(H2ClientTest, an_answer_that_is_not_read_stalls_no_other) {
  use_tls();
  with_client(&H2ClientTest::unread_stream_stalls_no_other);
}
TEST_F(H2ClientTest, an_upgrade_is_a_byte_stream) {
  use_tls();
  with_client(&H2ClientTest::upgrades);
}
TEST_F(H2ClientTest, letting_go_cancels_the_handler) { with_client(&H2ClientTest::cancels); }
TEST_F(H2ClientTest, a_cut_answer_is_an_error) { with_client(&H2ClientTest::reset_by_the_server); }
TEST_F(H2ClientTest, a_call_may_outlive_its_connection) { run(outlived()); }
TEST_F(H2ClientTest, a_foreign_ca_is_refused) {
  use_tls();
  run(wrong_ca());
}

TEST(Proxy, its_address_is_understood) {
  struct Case {
    const char *text, *host, *credentials;
    int port;
  };
  const Case cases[] = {
      {"http://proxy.example:3128", "proxy.example", "", 3128},
      {"proxy.example:3128", "proxy.example", "", 3128},
      {"http://ann:p%40ss@10.0.0.9:8080/", "10.0.0.9", "ann:p@ss", 8080},
      {"http://[fd00::9]:8080", "fd00::9", "", 8080},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    const auto proxy = parse_proxy(c.text);
    ASSERT_TRUE(proxy) << proxy.error().message();
    EXPECT_EQ(proxy->host, c.host);
    EXPECT_EQ(proxy->port, c.port);
    EXPECT_EQ(proxy->credentials, c.credentials);
  }
  for (const char* bad : {"https://secure:1", "socks5://x:1", "http://a:%zz@h:1", "http://"}) {
    const auto refused = parse_proxy(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().message().find("zz"), std::string::npos);
  }
}

TEST(Proxy, is_asked_with_the_password_and_its_refusal_says_what_to_do) {
  EXPECT_EQ(connect_request({"p", 1, ""}, "fd00::1", 6443),
            "CONNECT [fd00::1]:6443 HTTP/1.1\r\nHost: [fd00::1]:6443\r\n\r\n");
  EXPECT_NE(connect_request({"p", 1, "ann:p@ss"}, "h", 1).find("Basic YW5uOnBAc3M="),
            std::string::npos);
  EXPECT_TRUE(check_connect_answer(200));
  EXPECT_TRUE(check_connect_answer(407).is(Code::unauthorized));
  EXPECT_TRUE(check_connect_answer(502).is(Code::unavailable));
}

}  // namespace
}  // namespace kinglet::net
