// The whole of it in a network of its own: objects in a fake API, real rules, real packets.
#include "node/network/network.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/task_group.h"
#include "base/testing.h"
#include "client/testing/fake_api.h"
#include "node/network/dns_message.h"
#include "node/network/own_network_test.h"

namespace kinglet::network {
namespace {

constexpr std::string_view kService = R"({"kind":"Service","apiVersion":"v1",
  "metadata":{"name":"web","namespace":"shop"},
  "spec":{"type":"ClusterIP","clusterIP":"10.43.0.5","ports":[{"name":"http","port":80,"protocol":"TCP"}]}})";
constexpr std::string_view kSlice = R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1",
  "metadata":{"name":"web-1","namespace":"shop","labels":{"kubernetes.io/service-name":"web"}},
  "addressType":"IPv4","ports":[{"name":"http","port":8080,"protocol":"TCP"}],
  "endpoints":[{"addresses":["10.42.0.2"],"nodeName":"here","conditions":{"ready":true}}]})";

struct Node {
  boost::asio::io_context loop;
  std::unique_ptr<Clock> clock = make_system_clock();
  std::unique_ptr<Random> random = make_seeded_random(1);
  std::unique_ptr<Files> files = make_system_files();
  std::unique_ptr<Metrics> metrics = make_metrics();
  client::testing::FakeApi api{*clock, *random};
  client::Informers informers{api, *clock, *random};
  std::unique_ptr<Network> network;
  TaskGroup parts;
  bool ended = false;

  explicit Node(const NetworkOptions& options) {
    auto made = make_network(options, informers, *clock, *random, *files, *metrics);
    EXPECT_TRUE(made);
    network = std::move(*made);
  }
  void start() {
    const auto ready = testing_run(network->setup());
    EXPECT_TRUE(ready) << ready.error().message();
    parts.add("informers", informers.run());
    parts.add("network", network->run());
    auto run = [](TaskGroup& group) -> Task<void> { (void)co_await group.run(); };
    boost::asio::co_spawn(loop, run(parts), [this](std::exception_ptr) { ended = true; });
  }
  ~Node() {
    parts.cancel();
    loop.restart();
    while (!ended) loop.run_one();
  }
  template <class T>
  T testing_run(Task<T> task) {
    return kinglet::testing::run_task(loop, std::move(task));
  }
  // Lets the loop work until it is so; the packets of `done` come from other processes.
  bool until(const std::function<bool()>& done) {
    for (int i = 0; i < 300; ++i) {
      loop.restart();
      loop.run_for(std::chrono::milliseconds(20));
      if (done()) return true;
    }
    return false;
  }
};

// Asks the DNS from within this process, over the loop.
Task<std::string> look_up(std::string server, std::string name) {
  namespace ip = boost::asio::ip;
  std::string question = write_query(7, name, DnsType::a);
  std::string framed{'\0', static_cast<char>(question.size())};
  framed += question;
  ip::tcp::socket socket(co_await boost::asio::this_coro::executor);
  const ip::tcp::endpoint to(ip::make_address(server), 53);
  co_await socket.async_connect(to, boost::asio::use_awaitable);
  co_await socket.async_send(boost::asio::buffer(framed), boost::asio::use_awaitable);
  std::string answer(1000, '\0');
  const size_t size =
      co_await socket.async_receive(boost::asio::buffer(answer), boost::asio::use_awaitable);
  answer.resize(size);
  if (size < 2 + 12 + 4) co_return "too short";
  // The address is the last field of a single A record without EDNS.
  co_return fmt::format(
      "code {} ends {}.{}.{}.{}", answer[5] & 0xf, static_cast<unsigned char>(answer[size - 4]),
      static_cast<unsigned char>(answer[size - 3]), static_cast<unsigned char>(answer[size - 2]),
      static_cast<unsigned char>(answer[size - 1]));
}

TEST(NetworkAsAWhole, objects_become_rules_and_names_and_pods_survive_a_restart) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    NetworkOptions options;
    options.node_name = "here";
    options.resolv_conf = "/run/resolv.conf";
    std::ofstream(options.resolv_conf) << "# no name server\n";
    std::string netns;
    {
      Node node(options);
      node.start();
      auto pod = node.testing_run(node.network->attach("uid-1", "web-0"));
      ASSERT_TRUE(pod) << pod.error().message();
      EXPECT_EQ(pod->ip, "10.42.0.2");
      netns = pod->netns_path;
      EXPECT_EQ(node.testing_run(node.network->attach("uid-1", "web-0"))->ip, "10.42.0.2");
      EXPECT_TRUE(node.testing_run(node.network->attach("../evil", "x")).is(Code::invalid));
      testing::serve(netns, 8080, "web");
      ASSERT_TRUE(node.api.put(ServiceObject::resource(), kService));
      ASSERT_TRUE(node.api.put(SliceObject::resource(), kSlice));
      EXPECT_TRUE(node.until([&] { return testing::ask("", "10.43.0.5", 80) == "web 10.42.0.1"; }));
      EXPECT_EQ(node.testing_run(look_up("10.43.0.10", "web.shop.svc.cluster.local")),
                "code 0 ends 10.43.0.5");
      const TimePoint began = node.clock->now();
      EXPECT_EQ(node.testing_run(look_up("10.43.0.10", "example.com")).substr(0, 6), "code 2");
      EXPECT_LT(node.clock->now() - began, std::chrono::seconds(1))
          << "without name servers the answer comes at once";
      node.api.erase(SliceObject::resource(), "shop", "web-1");
      EXPECT_TRUE(node.until([&] { return testing::ask("", "10.43.0.5", 80) == "refused"; }));
      ASSERT_TRUE(node.api.put(SliceObject::resource(), kSlice));
      EXPECT_TRUE(node.until([&] { return testing::ask("", "10.43.0.5", 80) == "web 10.42.0.1"; }));
    }
    EXPECT_EQ(testing::ask("", "10.43.0.5", 80), "web 10.42.0.1")
        << "the rules outlive the process";
    {
      Node node(options);
      node.start();
      EXPECT_EQ(node.network->attached(), std::vector<std::string>{"uid-1"});
      EXPECT_EQ(node.testing_run(node.network->attach("uid-2", "b"))->ip, "10.42.0.3");
      EXPECT_TRUE(node.testing_run(node.network->detach("uid-1")));
      EXPECT_TRUE(node.testing_run(node.network->detach("uid-1")));
      EXPECT_EQ(node.network->attached(), std::vector<std::string>{"uid-2"});
    }
    EXPECT_TRUE(remove_network(options));
    EXPECT_TRUE(remove_network(options)) << "twice is fine";
    EXPECT_NE(testing::ask("", "10.43.0.5", 80), "web 10.42.0.1");
  });
}

}  // namespace
}  // namespace kinglet::network
