#include "client/pod.h"

#include "client/conditions.h"

namespace kinglet::client {

const schema::Resource& Pod::resource() {
  static const auto& found = client::resource("", "v1", "pods");
  return found;
}

namespace {
Pod::Phase phase_of(std::string_view text) {
  if (text == "Running") return Pod::Phase::running;
  if (text == "Succeeded") return Pod::Phase::succeeded;
  if (text == "Failed") return Pod::Phase::failed;
  if (text == "Unknown") return Pod::Phase::unknown;
  return Pod::Phase::pending;
}

void append_ports(std::vector<Pod::Port>& ports, const json::Value& container) {
  for (const auto& port : array_at(container, {"ports"})) {
    auto protocol = string_at(port, {"protocol"});
    if (protocol.empty()) protocol = "TCP";
    ports.push_back({string_at(port, {"name"}), std::move(protocol), string_at(port, {"hostIP"}),
                     static_cast<int32_t>(json::int_at(port, {"containerPort"})),
                     static_cast<int32_t>(json::int_at(port, {"hostPort"}))});
  }
}

void read_status(Pod& pod, const json::Value& status) {
  pod.phase = phase_of(json::text_at(status, {"phase"}));
  for (const auto& item : array_at(status, {"podIPs"}))
    if (auto ip = string_at(item, {"ip"}); !ip.empty()) pod.ips.push_back(std::move(ip));
  if (pod.ips.empty())
    if (auto ip = string_at(status, {"podIP"}); !ip.empty()) pod.ips.push_back(std::move(ip));
  for (const auto& item : array_at(status, {"conditions"})) {
    if (json::text_at(item, {"type"}) != "Ready") continue;
    pod.ready = json::text_at(item, {"status"}) == "True";
    if (const auto since = parse_rfc3339(string_at(item, {"lastTransitionTime"})); pod.ready && since)
      pod.ready_since = *since;
  }
  for (const auto& item : array_at(status, {"containerStatuses"}))
    pod.restarts = std::max(pod.restarts, static_cast<int>(json::int_at(item, {"restartCount"})));
}
}  // namespace

std::shared_ptr<Pod> Pod::decode(const json::Value& object) {
  auto pod = std::make_shared<Pod>();
  if (const auto* spec = json::find(object, {"spec"})) {
    pod->node_name = string_at(*spec, {"nodeName"});
    pod->scheduler_name = string_at(*spec, {"schedulerName"});
    pod->hostname = string_at(*spec, {"hostname"});
    pod->subdomain = string_at(*spec, {"subdomain"});
    pod->tolerations = tolerations_of(*spec);
    pod->requests = pod_requests(*spec);
    pod->priority = static_cast<int>(json::int_at(*spec, {"priority"}));
    pod->gated = !array_at(*spec, {"schedulingGates"}).empty();
    for (const auto& container : array_at(*spec, {"containers"})) append_ports(pod->ports, container);
    for (const auto& container : array_at(*spec, {"initContainers"}))
      if (json::text_at(container, {"restartPolicy"}) == "Always") append_ports(pod->ports, container);
  }
  if (const auto* status = json::find(object, {"status"})) read_status(*pod, *status);
  return pod;
}

bool Pod::available(Duration min_ready, WallTime now) const {
  if (!ready) return false;
  if (min_ready == Duration::zero()) return true;
  return ready_since && now.since_epoch - ready_since->since_epoch >= min_ready;
}

}  // namespace kinglet::client
