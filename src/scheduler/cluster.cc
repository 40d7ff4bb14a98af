#include "scheduler/internal/cluster.h"

namespace kinglet::scheduler {
namespace {
// What a pod without requests is taken for when nodes are compared. Source: upstream's non-zero requests.
constexpr int64_t kDefaultMilliCpu = 100;
constexpr int64_t kDefaultMemory = 200ll << 20;
constexpr char kAnyAddress[] = "0.0.0.0";
}  // namespace

bool HostPort::clashes(const HostPort& other) const {
  return port == other.port && protocol == other.protocol &&
         (ip == other.ip || ip == kAnyAddress || other.ip == kAnyAddress);
}

std::vector<HostPort> host_ports_of(const Pod& pod) {
  std::vector<HostPort> ports;
  for (const auto& port : pod.ports)
    if (port.host_port > 0) ports.push_back({port.host_ip.empty() ? kAnyAddress : port.host_ip, port.protocol, port.host_port});
  return ports;
}

int64_t scored_milli_cpu(const Pod& pod) {
  return pod.requests.milli_cpu > 0 ? pod.requests.milli_cpu : kDefaultMilliCpu;
}
int64_t scored_memory(const Pod& pod) {
  return pod.requests.memory_bytes > 0 ? pod.requests.memory_bytes : kDefaultMemory;
}

void Cluster::set_node(Ref<const Node> node) {
  auto& info = nodes_[node->meta.name];
  if (!info.node) {
    const auto at = std::lower_bound(order_.begin(), order_.end(), node->meta.name);
    order_.insert(at, node->meta.name);
  }
  info.node = std::move(node);
}

void Cluster::remove_node(const std::string& name) {
  const auto at = nodes_.find(name);
  if (at == nodes_.end()) return;
  std::erase(order_, name);
  at->second.node = nullptr;
  if (at->second.pods.empty()) nodes_.erase(at);
}

const NodeInfo* Cluster::find(const std::string& name) const {
  const auto at = nodes_.find(name);
  return at == nodes_.end() ? nullptr : &at->second;
}

void Cluster::place(Ref<const Pod> pod, const std::string& node) {
  const auto key = pod->meta.key();
  auto& info = nodes_[node];
  info.used.add(pod->requests);
  info.scored_milli_cpu += scored_milli_cpu(*pod);
  info.scored_memory += scored_memory(*pod);
  for (auto& port : host_ports_of(*pod)) info.ports.push_back(std::move(port));
  if (const auto* owner = pod->meta.controller()) ++info.by_owner[owner->uid];
  info.pods[key] = pod;
  if (auto terms = anti_affinity_of(*pod); !terms.empty()) guards_[key] = {pod, node, std::move(terms)};
  placed_[key] = {std::move(pod), node};
}

void Cluster::displace(const ObjectKey& key) {
  const auto at = placed_.find(key);
  if (at == placed_.end()) return;
  const auto [pod, node] = at->second;
  placed_.erase(at);
  guards_.erase(key);
  auto& info = nodes_[node];
  info.pods.erase(key);
  info.used.subtract(pod->requests);
  info.scored_milli_cpu -= scored_milli_cpu(*pod);
  info.scored_memory -= scored_memory(*pod);
  for (const auto& port : host_ports_of(*pod)) {
    const auto same = std::find_if(info.ports.begin(), info.ports.end(), [&](const HostPort& p) {
      return p.port == port.port && p.protocol == port.protocol && p.ip == port.ip;
    });
    if (same != info.ports.end()) info.ports.erase(same);
  }
  if (const auto* owner = pod->meta.controller())
    if (--info.by_owner[owner->uid] == 0) info.by_owner.erase(owner->uid);
  if (!info.node && info.pods.empty()) nodes_.erase(node);
}

void Cluster::set_pod(Ref<const Pod> pod) {
  const auto key = pod->meta.key();
  assumed_.erase(key);
  displace(key);
  const auto node = pod->node_name;
  place(std::move(pod), node);
}

void Cluster::remove_pod(const ObjectKey& key) {
  assumed_.erase(key);
  displace(key);
}

void Cluster::assume(Ref<const Pod> pod, const std::string& node) {
  const auto key = pod->meta.key();
  displace(key);
  assumed_.insert(key);
  place(std::move(pod), node);
}

void Cluster::forget(const ObjectKey& key) {
  if (assumed_.erase(key) > 0) displace(key);
}

}  // namespace kinglet::scheduler
