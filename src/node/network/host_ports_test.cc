#include "node/network/host_ports.h"

#include <gtest/gtest.h>

namespace kinglet::network {
namespace {

std::string text_of(const std::vector<HostPort>& ports) {
  std::string out;
  for (const auto& p : ports)
    out +=
        fmt::format("{}:{}/{}>{}:{} ", p.host_ip, p.port, p.protocol, p.pod_ip, p.container_port);
  return out;
}

TEST(HostPorts, are_those_of_running_pods_with_an_address_of_their_own) {
  const std::string port = R"({"containerPort":80,"hostPort":8080,"protocol":"TCP"})";
  const auto pod = [](const std::string& ports, const std::string& spec = "",
                      const std::string& phase = "Running") {
    return R"({"spec":{)" + spec + R"("containers":[{"name":"a","ports":[)" + ports +
           R"(]}]},"status":{"podIP":"10.42.0.5","phase":")" + phase + R"("}})";
  };
  struct Case {
    const char* name;
    std::string pod;
    const char* ports;
  };
  const Case cases[] = {
      {"plain", pod(port), ":8080/TCP>10.42.0.5:80 "},
      {"one address, UDP",
       pod(R"({"containerPort":53,"hostPort":53,"protocol":"UDP","hostIP":"192.0.2.1"})"),
       "192.0.2.1:53/UDP>10.42.0.5:53 "},
      {"all addresses, said so", pod(R"({"containerPort":80,"hostPort":81,"hostIP":"0.0.0.0"})"),
       ":81/TCP>10.42.0.5:80 "},
      {"none", pod(R"({"containerPort":80})"), ""},
      {"host network", pod(port, R"("hostNetwork":true,)"), ""},
      {"ended", pod(port, "", "Succeeded"), ""},
      {"no address yet", R"({"spec":{"containers":[{"ports":[)" + port + R"(]}]},"status":{}})",
       ""},
      {"rubbish in ports",
       pod(R"({"containerPort":99999,"hostPort":-1},7,{"hostPort":80,"containerPort":80,"protocol":"x"})"),
       ""},
      {"IPv6 only", pod(R"({"containerPort":80,"hostPort":81,"hostIP":"::1"})"), ""},
      {"rubbish", "{\"hostPort\"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(text_of(host_ports_of(c.pod)), c.ports) << c.name;
}

}  // namespace
}  // namespace kinglet::network
