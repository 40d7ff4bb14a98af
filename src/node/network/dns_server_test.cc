// The DNS server over real sockets, with name servers of its own to ask, in a network of its own.
#include "node/network/dns_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fstream>

#include "base/task_group.h"
#include "base/testing.h"
#include "client/testing/fake_api.h"
#include "node/network/dns_message.h"
#include "node/network/links.h"
#include "node/network/own_network_test.h"

namespace kinglet::network {
namespace {
namespace asio = boost::asio;

// What a name server says to a question: one address, 192.0.2.<last>.
std::string upstream_answer(std::string question, char last, bool cut) {
  std::string answer = question;
  answer[2] = static_cast<char>(0x81 | (cut ? 0x02 : 0));
  answer[3] = static_cast<char>(0x80);
  answer[7] = cut ? 0 : 1;
  if (!cut) answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2", 15) + last;
  return answer;
}

enum class Manner { answers, lies_first, cuts };

int bound(int type, const char* address) {
  const int fd = ::socket(AF_INET, type, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(53);
  ::inet_pton(AF_INET, address, &at.sin_addr);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0) << address;
  if (type == SOCK_STREAM) ::listen(fd, 4);
  return fd;
}

void answer_udp(int fd, char last, Manner manner) {
  char bytes[512];
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const ssize_t n =
      ::recvfrom(fd, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&peer), &size);
  if (n < 12) return;
  const std::string question(bytes, static_cast<size_t>(n));
  const auto send = [&](const std::string& text) {
    ::sendto(fd, text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  };
  if (manner == Manner::lies_first) {
    std::string wrong = upstream_answer(question, 66, false);
    wrong[0] = static_cast<char>(wrong[0] ^ 1);  // another id: somebody guesses
    send(wrong);
  }
  send(upstream_answer(question, last, manner == Manner::cuts));
}

void answer_tcp(int listener, char last) {
  const int fd = ::accept(listener, nullptr, nullptr);
  char bytes[514];
  const ssize_t n = ::read(fd, bytes, sizeof bytes);
  if (n > 14) {
    std::string answer =
        upstream_answer(std::string(bytes + 2, static_cast<size_t>(n - 2)), last, false);
    answer.insert(
        0, std::string{static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size())});
    (void)!::write(fd, answer.data(), answer.size());
  }
  ::close(fd);
}

// A name server in a process of its own, on UDP and TCP.
void name_server(const char* address, char last, Manner manner = Manner::answers) {
  const int udp = bound(SOCK_DGRAM, address), tcp = bound(SOCK_STREAM, address);
  for (const int fd : {udp, tcp}) {
    if (::fork() != 0) continue;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) fd == udp ? answer_udp(fd, last, manner) : answer_tcp(fd, last);
  }
  ::close(udp);
  ::close(tcp);
}

// "code 0 192.0.2.7", "code 3", "cut"; of an answer to one question for an address.
std::string told(const std::string& answer) {
  if (answer.size() < 12) return "too short";
  if ((answer[2] & 0x02) != 0) return "cut";
  const std::string code = fmt::format("code {}", answer[3] & 0xf);
  if (answer[7] == 0) return code;
  const auto byte = [&](size_t from_end) {
    return static_cast<unsigned char>(answer[answer.size() - from_end]);
  };
  return fmt::format("{} {}.{}.{}.{}", code, byte(4), byte(3), byte(2), byte(1));
}

constexpr const char* kOwn = "127.0.0.10";

Task<std::string> ask_by_udp(std::string name, uint16_t id) {
  asio::ip::udp::socket socket(co_await asio::this_coro::executor, asio::ip::udp::v4());
  socket.connect({asio::ip::make_address(kOwn), 53});
  std::string question = write_query(id, name, DnsType::a);
  co_await socket.async_send(asio::buffer(question), asio::use_awaitable);
  std::string answer(2000, '\0');
  answer.resize(co_await socket.async_receive(asio::buffer(answer), asio::use_awaitable));
  if (answer.substr(0, 2) != question.substr(0, 2)) co_return "another id";
  co_return told(answer);
}

Task<std::string> ask_by_tcp(std::string name) {
  asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
  const asio::ip::tcp::endpoint to(asio::ip::make_address(kOwn), 53);
  co_await socket.async_connect(to, asio::use_awaitable);
  std::string question = write_query(9, name, DnsType::a);
  question.insert(0, std::string{'\0', static_cast<char>(question.size())});
  co_await asio::async_write(socket, asio::buffer(question), asio::use_awaitable);
  unsigned char size[2];
  co_await asio::async_read(socket, asio::buffer(size), asio::use_awaitable);
  std::string answer(static_cast<size_t>(size[0] << 8 | size[1]), '\0');
  co_await asio::async_read(socket, asio::buffer(answer), asio::use_awaitable);
  co_return told(answer);
}

constexpr std::string_view kWeb = R"({"kind":"Service","apiVersion":"v1",
  "metadata":{"name":"web","namespace":"shop"},
  "spec":{"clusterIP":"10.43.0.5","ports":[{"port":80,"protocol":"TCP"}]}})";

struct Resolver {
  asio::io_context loop;
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Random> random = make_seeded_random(1);
  std::unique_ptr<Files> files = make_system_files();
  std::unique_ptr<Metrics> metrics = make_metrics();
  client::testing::FakeApi api{*clock, *random};
  client::Informers informers{api, *clock, *random};
  std::unique_ptr<DnsServer> server;
  TaskGroup parts;
  bool ended = false;

  explicit Resolver(const std::string& resolv_conf) {
    EXPECT_TRUE((*open_links())->set_up("lo"));
    DnsOptions options;
    options.address = kOwn;
    options.networks = {"10.42.0.0/16", "10.43.0.0/16"};
    options.resolv_conf = "/run/resolv.conf";
    std::ofstream(options.resolv_conf) << resolv_conf;
    server = make_dns_server(options, informers.of<ServiceObject>(), informers.of<SliceObject>(),
                             *clock, *random, *files, *metrics);
    EXPECT_TRUE(api.put(ServiceObject::resource(), kWeb));
    parts.add("informers", informers.run());
    parts.add("dns", server->run());
    asio::co_spawn(loop, group(parts), [this](std::exception_ptr) { ended = true; });
    // The lists are read without waiting for anything outside; then every question has its answer.
    run(informers.wait_synced());
  }
  ~Resolver() {
    parts.cancel();
    loop.restart();
    while (!ended) loop.run_one();
  }
  static Task<void> group(TaskGroup& parts) { (void)co_await parts.run(); }
  template <class T>
  T run(Task<T> task) {
    return kinglet::testing::run_task(loop, std::move(task));
  }
  std::string udp(const std::string& name, uint16_t id = 7) { return run(ask_by_udp(name, id)); }
  std::string tcp(const std::string& name) { return run(ask_by_tcp(name)); }
};

void with_network(const std::function<void()>& body) {
  testing::in_own_network([&] {
    ASSERT_TRUE((*open_links())->set_up("lo"));
    body();
  });
}

TEST(DnsOverSockets, names_of_the_cluster_are_answered_and_others_passed_on) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  with_network([] {
    name_server("127.0.0.53", 7);
    Resolver dns("nameserver 127.0.0.53\n");
    EXPECT_EQ(dns.udp("web.shop.svc.cluster.local"), "code 0 10.43.0.5");
    EXPECT_EQ(dns.tcp("web.shop.svc.cluster.local"), "code 0 10.43.0.5");
    EXPECT_EQ(dns.udp("nobody.shop.svc.cluster.local"), "code 3") << "not passed on";
    EXPECT_EQ(dns.udp("example.com", 1), "code 0 192.0.2.7");
    EXPECT_EQ(dns.udp("example.com", 65535), "code 0 192.0.2.7") << "under the client's own id";
    EXPECT_EQ(dns.tcp("example.com"), "code 0 192.0.2.7");
  });
}

TEST(DnsOverSockets, the_next_name_server_is_asked_when_one_is_dead) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  with_network([] {
    name_server("127.0.0.54", 8);
    // Nobody listens at the first: the kernel says so at once.
    Resolver dns("nameserver 127.0.0.53\nnameserver 127.0.0.54\n");
    EXPECT_EQ(dns.udp("example.com"), "code 0 192.0.2.8");
    EXPECT_EQ(dns.tcp("example.com"), "code 0 192.0.2.8");
  });
}

TEST(DnsOverSockets, a_forged_answer_is_not_believed) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  with_network([] {
    name_server("127.0.0.53", 9, Manner::lies_first);
    Resolver dns("nameserver 127.0.0.53\n");
    EXPECT_EQ(dns.udp("example.com"), "code 0 192.0.2.9");
  });
}

TEST(DnsOverSockets, a_cut_answer_stays_cut_and_tcp_brings_the_whole) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  with_network([] {
    name_server("127.0.0.53", 10, Manner::cuts);
    Resolver dns("nameserver 127.0.0.53\n");
    EXPECT_EQ(dns.udp("example.com"), "cut");
    EXPECT_EQ(dns.tcp("example.com"), "code 0 192.0.2.10");
  });
}

TEST(DnsOverSockets, without_name_servers_and_with_rubbish_it_goes_on) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  with_network([] {
    Resolver dns("nameserver 127.0.0.10\n# only itself\n");
    EXPECT_EQ(dns.udp("example.com"), "code 2");
    for (const std::string& rubbish :
         {std::string("x"), std::string(500, '\xff'), std::string(12, '\0')}) {
      const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(53);
      ::inet_pton(AF_INET, kOwn, &to.sin_addr);
      ::sendto(fd, rubbish.data(), rubbish.size(), 0, reinterpret_cast<const sockaddr*>(&to),
               sizeof to);
      ::close(fd);
    }
    EXPECT_EQ(dns.udp("web.shop.svc.cluster.local"), "code 0 10.43.0.5");
  });
}

}  // namespace
}  // namespace kinglet::network
