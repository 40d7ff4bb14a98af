// The whole of it in a network of its own: objects in a fake API, real rules, real packets.
#include "node/network/network.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/task_group.h"
#include "base/testing.h"
#include "client/testing/fake_api.h"
#include "node/local_pod.h"
#include "node/network/dns_message.h"
#include "node/network/links.h"
#include "node/network/overlay_links.h"
#include "node/network/own_network_test.h"
#include "node/network/peer_routes.h"
#include "node/network/pod_wires.h"

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
    options.pod_cidr = "10.42.0.0/24";
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

std::string node_object(const std::string& name, const std::string& cidr,
                        const std::string& address, const char* ready = "True") {
  return fmt::format(
      R"({{"kind":"Node","apiVersion":"v1","metadata":{{"name":"{}"}},"spec":{{"podCIDR":"{}"}},
    "status":{{"addresses":[{{"type":"InternalIP","address":"{}"}}],"conditions":[{{"type":"Ready","status":"{}"}}]}}}})",
      name, cidr, address, ready);
}

TEST(NetworkAsAWhole, the_node_object_gives_the_range_and_peers_and_both_are_remembered) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    NetworkOptions options;
    options.node_name = "here";
    options.pod_cidr_file = "/run/pod-cidr";
    options.cluster_dns.clear();
    {
      Node node(options);
      ASSERT_TRUE(node.api.put(PeerNode::resource(), node_object("here", "", "192.0.2.1")));
      node.start();
      EXPECT_EQ(node.network->gateway(), "");
      ASSERT_TRUE(
          node.api.put(PeerNode::resource(), node_object("here", "10.42.3.0/24", "192.0.2.1")));
      EXPECT_TRUE(node.until([&] { return node.network->gateway() == "10.42.3.1"; }));
      EXPECT_EQ(node.testing_run(node.network->attach("uid-1", "x"))->ip, "10.42.3.2");
      EXPECT_FALSE((*open_links())->exists("kl-vxlan")) << "alone, it needs no device";
      ASSERT_TRUE(
          node.api.put(PeerNode::resource(), node_object("there", "10.42.4.0/24", "192.0.2.2")));
      const auto tunnels = [] { return read_overlay({})->tunnels; };
      const std::string there = hardware_address("there");
      EXPECT_TRUE(node.until([&] {
        return tunnels() == decltype(tunnels()){{there, "192.0.2.2"}};
      }));
      ASSERT_TRUE(
          node.api.put(PeerNode::resource(), node_object("there", "10.42.4.0/24", "192.0.2.7")));
      EXPECT_TRUE(node.until([&] {
        return tunnels() == decltype(tunnels()){{there, "192.0.2.7"}};
      }));
      EXPECT_EQ((*open_links())->mtu("kl-vxlan"), 1450);
      node.api.erase(PeerNode::resource(), "", "there");
      EXPECT_TRUE(
          node.until([&] { return tunnels().empty() && read_overlay({})->routes.empty(); }));
    }
    {
      Node node(options);
      node.start();
      EXPECT_EQ(node.network->gateway(), "10.42.3.1") << "before any server answers";
      EXPECT_EQ(node.network->attached(), std::vector<std::string>{"uid-1"});
    }
    EXPECT_TRUE(remove_network(options));
  });
}

TEST(NetworkAsAWhole, clients_of_a_lost_node_hear_of_it_at_once) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    NetworkOptions options;
    options.pod_cidr = "10.42.0.0/24";
    options.node_name = "here";
    options.cluster_dns.clear();
    Node node(options);
    ASSERT_TRUE(node.api.put(PeerNode::resource(), node_object("there", "10.42.9.0/24", "")));
    ASSERT_TRUE(node.api.put(ServiceObject::resource(), kService));
    std::string slice(kSlice);
    slice.replace(slice.find("10.42.0.2"), 9, "10.42.9.2").replace(slice.find("here"), 4, "there");
    ASSERT_TRUE(node.api.put(SliceObject::resource(), slice));
    node.start();
    const auto client = node.testing_run(node.network->attach("client", "x"));
    ASSERT_TRUE(client);
    // The other node's pod, played by one of this node's.
    WireOptions wires;
    wires.service_cidr = "10.43.0.0/16";
    wires.netns_dir = "/run/there";
    wires.bridge = "kl0";
    wires.gateway = "10.42.0.1";
    ASSERT_TRUE(make_bridge(wires));
    ASSERT_TRUE(wire_pod(wires, "there", "10.42.9.2"));
    ASSERT_TRUE((*open_links())->add_route("10.42.9.2/32", "kl0", "", ""));
    testing::serve_silence(netns_path(wires, "there"), 8080);
    EXPECT_TRUE(node.until([&] { return testing::ask("", "10.43.0.5", 80) == "nothing"; }))
        << "connected, and nothing is said";
    testing::Waiting pod(client->netns_path, "10.43.0.5", 80), host("", "10.43.0.5", 80),
        direct(client->netns_path, "10.42.9.2", 8080);
    ASSERT_TRUE(pod.connected() && host.connected() && direct.connected());
    ASSERT_TRUE(
        node.api.put(PeerNode::resource(), node_object("there", "10.42.9.0/24", "", "Unknown")));
    node.api.erase(SliceObject::resource(), "shop", "web-1");
    EXPECT_TRUE(node.until([&] { return testing::ask("", "10.43.0.5", 80) == "refused"; }));
    EXPECT_TRUE(node.until([&] { return pod.outcome() == "Software caused connection abort"; }))
        << pod.outcome();
    EXPECT_TRUE(node.until([&] { return host.outcome() == "Software caused connection abort"; }))
        << host.outcome();
    EXPECT_EQ(direct.outcome(), "waits")
        << "who speaks to a pod's own address speaks to nobody else";
  });
}

constexpr std::string_view kPortsPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"shop"},
      "spec":{"nodeName":"here","containers":[{"name":"c","ports":[{"containerPort":80,"hostPort":8080},
      {"containerPort":53,"hostPort":5353,"protocol":"UDP"}]}]},"status":{"phase":"Running","podIP":"10.42.0.2"}})";

TEST(NetworkAsAWhole, host_ports_and_udp_services_follow_their_pods) {
  if (!testing::can_have_own_network()) GTEST_SKIP() << "needs root";
  testing::in_own_network([] {
    NetworkOptions options;
    options.pod_cidr = "10.42.0.0/24";
    options.node_name = "here";
    options.cluster_dns.clear();
    Node node(options);
    node.start();
    const auto a = node.testing_run(node.network->attach("a", "x")),
               b = node.testing_run(node.network->attach("b", "x"));
    ASSERT_TRUE(a && b);
    testing::serve(a->netns_path, 80, "a");
    testing::serve_udp(a->netns_path, 53, "a");
    testing::serve_udp(b->netns_path, 53, "b");
    ASSERT_TRUE(node.api.put(node::LocalPod::resource(), kPortsPod));
    EXPECT_TRUE(node.until(
        [&] { return testing::ask(b->netns_path, "10.42.0.1", 8080) == "a 10.42.0.3"; }));
    EXPECT_EQ(testing::ask("", "127.0.0.1", 8080), "a 10.42.0.1");
    EXPECT_EQ(testing::ask(a->netns_path, "10.42.0.1", 8080), "a 10.42.0.1")
        << "a pod by its own host port";
    EXPECT_EQ(testing::ask_udp(b->netns_path, "10.42.0.1", 5353), "a 10.42.0.3");

    std::string service(kService), slice(kSlice);
    for (auto* text : {&service, &slice}) text->replace(text->find("TCP"), 3, "UDP");
    slice.replace(slice.find("8080"), 4, "53");
    ASSERT_TRUE(node.api.put(ServiceObject::resource(), service));
    ASSERT_TRUE(node.api.put(SliceObject::resource(), slice));
    EXPECT_TRUE(node.until(
        [&] { return testing::ask_udp(b->netns_path, "10.43.0.5", 80, 4000) == "a 10.42.0.3"; }));
    // The same flow, which conntrack knows: it must follow the endpoint.
    slice.replace(slice.find("10.42.0.2"), 9, "10.42.0.3");
    ASSERT_TRUE(node.api.put(SliceObject::resource(), slice));
    EXPECT_TRUE(node.until(
        [&] { return testing::ask_udp(a->netns_path, "10.43.0.5", 80, 4000) == "b 10.42.0.2"; }));
    EXPECT_TRUE(node.until([&] {
      return testing::ask_udp(b->netns_path, "10.43.0.5", 80, 4000) == "b 10.42.0.1";
    })) << "itself, through its Service";
    node.api.erase(SliceObject::resource(), "shop", "web-1");
    EXPECT_TRUE(node.until(
        [&] { return testing::ask_udp(a->netns_path, "10.43.0.5", 80, 4000) == "refused"; }));
  });
}

}  // namespace
}  // namespace kinglet::network
