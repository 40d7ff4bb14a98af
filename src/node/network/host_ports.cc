#include "node/network/host_ports.h"

#include "client/conditions.h"
#include "json/json.h"
#include "node/network/service_model.h"

namespace kinglet::network {
namespace {

constexpr size_t kHostPortsMax = 256;  // of one pod

void add_ports(const json::Value& pod, const char* containers, const std::string& pod_ip,
               std::vector<HostPort>& out) {
  for (const auto& container : client::array_at(pod, {"spec", containers}))
    for (const auto& item : client::array_at(container, {"ports"})) {
      HostPort port;
      port.host_ip = client::string_at(item, {"hostIP"});
      port.protocol = client::string_at(item, {"protocol"});
      port.port = port_at(item, "hostPort");
      port.container_port = port_at(item, "containerPort");
      port.pod_ip = pod_ip;
      if (port.host_ip == "0.0.0.0") port.host_ip.clear();
      if (port.protocol.empty()) port.protocol = "TCP";
      const bool known =
          port.protocol == "TCP" || port.protocol == "UDP" || port.protocol == "SCTP";
      if (port.port == 0 || port.container_port == 0 || !known || out.size() >= kHostPortsMax)
        continue;
      if (!port.host_ip.empty() && !is_ipv4(port.host_ip)) continue;
      out.push_back(std::move(port));
    }
}

}  // namespace

std::vector<HostPort> host_ports_of(std::string_view text) {
  std::vector<HostPort> out;
  if (text.find("\"hostPort\"") == std::string_view::npos)
    return out;  // nearly all pods: not parsed
  const auto pod = json::parse(text);
  if (!pod || json::bool_at(*pod, {"spec", "hostNetwork"})) return out;
  const std::string ip = client::string_at(*pod, {"status", "podIP"});
  const std::string phase = client::string_at(*pod, {"status", "phase"});
  if (!is_ipv4(ip) || phase == "Succeeded" || phase == "Failed") return out;
  add_ports(*pod, "containers", ip, out);
  add_ports(*pod, "initContainers", ip, out);  // sidecars
  return out;
}

}  // namespace kinglet::network
