#include "apiserver/node_proxy.h"

#include "apiserver/http_proxy.h"
#include "apiserver/testing/api_world.h"

namespace kinglet::apiserver {
namespace {

using testing::ApiWorld;

class Proxies : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto made = world.post(
        "/api/v1/namespaces/default/pods",
        R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"two"},"spec":{"nodeName":"edge-1",
         "initContainers":[{"name":"i","image":"x"}],
         "containers":[{"name":"a","image":"x"},{"name":"b","image":"x","ports":[{"containerPort":8080}]}]}})");
    ASSERT_EQ(made->status, 201) << made->text;
    ASSERT_EQ(world.post("/api/v1/namespaces/default/pods", testing::pod("one", "edge-1"))->status,
              201);
    ASSERT_EQ(world.post("/api/v1/namespaces/default/pods", testing::pod("waits"))->status, 201);
    ASSERT_EQ(world
                  .post("/api/v1/nodes",
                        R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"edge-1"}})")
                  ->status,
              201);
  }
  std::string plan(const std::string& target) {
    testing::FakeExchange exchange("GET", target);
    const auto info = request_info(exchange.request());
    const auto call = plan_node_call(*world.registry, info, exchange.request());
    if (!call) return call.error().message();
    return call->node + " " + call->target;
  }
  std::string url(const std::string& target) {
    testing::FakeExchange exchange("GET", target);
    const auto info = request_info(exchange.request());
    const auto made = proxy_url(*world.registry, *world.random, info, exchange.request());
    return made ? *made : made.error().message();
  }
  void set_ip(const std::string& ip) {
    const auto done = world.patch("/api/v1/namespaces/default/pods/two/status",
                                  fmt::format(R"({{"status":{{"podIP":"{}"}}}})", ip));
    ASSERT_EQ(done->status, 200) << done->text;
  }
  ApiWorld world;
  const std::string pods = "/api/v1/namespaces/default/pods/";
};

TEST_F(Proxies, logs_go_to_the_pods_node) {
  EXPECT_EQ(plan(pods + "one/log"), "edge-1 /containerLogs/default/one/c");
  EXPECT_EQ(plan(pods + "one/log?follow=true&tailLines=5&timestamps=true&previous=false"),
            "edge-1 /containerLogs/default/one/c?follow=true&timestamps=true&tailLines=5");
  EXPECT_EQ(plan(pods + "two/log?container=b"), "edge-1 /containerLogs/default/two/b");
  EXPECT_EQ(plan(pods + "two/log"),
            "a container name must be specified for pod two, choose one of: [a b] or one of the "
            "init containers: [i]");
  EXPECT_EQ(plan(pods + "two/log?container=z"), "container z is not valid for pod two");
  EXPECT_EQ(plan(pods + "two/log?container=..%2F..%2Fexec"),
            "container ../../exec is not valid for pod two");
  EXPECT_EQ(plan(pods + "none/log"), "pods \"none\" not found");
  EXPECT_EQ(plan(pods + "waits/log"), " /containerLogs/default/waits/c") << "no node: an empty log";
  EXPECT_NE(plan(pods + "one/log?tailLines=-1").find("must be greater than or equal to 0"),
            std::string::npos);
  EXPECT_NE(plan(pods + "one/log?sinceSeconds=x").find("invalid number"), std::string::npos);
}

TEST_F(Proxies, exec_speaks_the_kubelets_words) {
  EXPECT_EQ(
      plan(pods + "one/exec?stdin=true&stdout=1&tty=true&command=sh&command=-c&command=a%20b%26c"),
      "edge-1 /exec/default/one/c?input=1&output=1&tty=1&command=sh&command=-c&command=a%20b%26c");
  EXPECT_EQ(plan(pods + "waits/exec?command=x"), "pod waits does not have a host assigned");
  EXPECT_EQ(plan(pods + "two/attach?container=a&stdout=true"),
            "edge-1 /attach/default/two/a?output=1");
  EXPECT_EQ(plan(pods + "one/portforward?ports=80"), "edge-1 /portForward/default/one?port=80");
}

TEST_F(Proxies, nodes_are_reached_by_name) {
  EXPECT_EQ(plan("/api/v1/nodes/edge-1/proxy/stats/summary?only=cpu"),
            "edge-1 /stats/summary?only=cpu");
  EXPECT_EQ(plan("/api/v1/nodes/https:edge-1:10250/proxy/healthz"), "edge-1 /healthz");
  EXPECT_EQ(plan("/api/v1/nodes/edge-1:22/proxy/healthz"),
            "only the kubelet's port 10250 of a node can be reached");
  EXPECT_EQ(plan("/api/v1/nodes/edge-9/proxy/healthz"), "nodes \"edge-9\" not found");
}

TEST_F(Proxies, pods_are_reached_at_their_address) {
  set_ip("10.42.0.7");
  EXPECT_EQ(url(pods + "two/proxy/a/b?x=1"), "http://10.42.0.7:8080/a/b?x=1");
  EXPECT_EQ(url(pods + "https:two:9/proxy"), "https://10.42.0.7:9/");
  EXPECT_EQ(url(pods + "two:70000/proxy"), "invalid pod request \"two:70000\"");
  EXPECT_EQ(url(pods + "ftp:two:1/proxy"), "invalid proxy request \"ftp:two:1\"");
  EXPECT_EQ(url(pods + "one/proxy/"), "address not allowed") << "it has none yet";
}

TEST_F(Proxies, services_are_reached_through_a_ready_endpoint) {
  world.post(
      "/api/v1/namespaces/default/services",
      R"({"kind":"Service","apiVersion":"v1","metadata":{"name":"web"},"spec":{"ports":[{"name":"http","port":80}]}})");
  const std::string web = "/api/v1/namespaces/default/services/";
  EXPECT_EQ(url(web + "web/proxy/"), "no endpoints available for service \"web\"");
  world.post(
      "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
      R"({"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"web-1",
              "labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
              "endpoints":[{"addresses":["10.42.0.8"],"conditions":{"ready":false}},{"addresses":["10.42.0.9"]}],
              "ports":[{"name":"http","port":8080}]})");
  for (const char* name : {"web", "web:http", "web:80", "http:web:http"})
    EXPECT_EQ(url(web + name + "/proxy/x"), "http://10.42.0.9:8080/x") << name;
  EXPECT_EQ(url(web + "web:81/proxy/x"), "no service port \"81\" found for service \"web\"");
}

TEST(ProxyableAddress, keeps_the_server_from_talking_to_itself) {
  for (const char* good : {"10.42.0.7", "192.168.1.2", "2001:db8::1"})
    EXPECT_TRUE(proxyable_address(good)) << good;
  for (const char* bad : {"", "localhost", "127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254",
                          "224.0.0.1", "::1", "::", "fe80::1", "::ffff:127.0.0.1"})
    EXPECT_FALSE(proxyable_address(bad)) << bad;
}

TEST(StripCredentials, takes_away_everything_that_proves_or_pretends) {
  net::Headers headers;
  headers.add("Authorization", "Bearer x");
  headers.add("authorization", "Bearer y");
  headers.add("Impersonate-User", "jane");
  headers.add("IMPERSONATE-group", "dev");
  headers.add("X-Remote-User", "root");
  headers.add("Sec-WebSocket-Protocol",
              "base64url.bearer.authorization.k8s.io.eA, v5.channel.k8s.io");
  headers.add("Accept", "*/*");
  strip_credentials(headers);
  ASSERT_EQ(headers.rows().size(), 2u);
  EXPECT_EQ(headers.get("accept"), "*/*");
  EXPECT_EQ(headers.get("sec-websocket-protocol"), "v5.channel.k8s.io");
}

}  // namespace
}  // namespace kinglet::apiserver
