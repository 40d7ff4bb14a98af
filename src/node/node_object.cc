#include "node/node_object.h"

namespace kinglet::node {
namespace {

std::map<std::string, std::string> own_labels(const NodeIdentity& identity, const HostFacts& facts) {
  std::map<std::string, std::string> labels = {
      {"kubernetes.io/hostname", identity.name},
      {"kubernetes.io/os", "linux"},
      {"kubernetes.io/arch", facts.architecture},
      {"beta.kubernetes.io/os", "linux"},
      {"beta.kubernetes.io/arch", facts.architecture},
      {"node.kubernetes.io/instance-type", "kinglet"},
      {"beta.kubernetes.io/instance-type", "kinglet"},
  };
  for (const auto& label : identity.labels) {
    const size_t equals = label.find('=');
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return labels;
}

schema::Quantity quantity(const std::string& text) {
  auto parsed = schema::Quantity::parse(text);
  KL_ASSERT(parsed, "our own quantity {}", text);
  return *parsed;
}

void set_condition(api::Node& node, const std::string& type, bool status, const std::string& reason,
                   const std::string& message, WallTime now, bool heartbeat) {
  auto& conditions = node.status.conditions;
  auto it = std::find_if(conditions.begin(), conditions.end(), [&](const auto& c) { return c.type == type; });
  const std::string text = status ? "True" : "False";
  if (it == conditions.end()) {
    it = conditions.emplace(conditions.end());
    it->type = type;
    heartbeat = true;
  }
  if (it->status != text) {
    it->lastTransitionTime = now;
    heartbeat = true;
  }
  it->status = text;
  it->reason = reason;
  it->message = message;
  if (heartbeat) it->lastHeartbeatTime = now;
}

}  // namespace

bool reconcile_labels(api::Node& node, const NodeIdentity& identity, const HostFacts& facts) {
  bool changed = false;
  for (const auto& [key, value] : own_labels(identity, facts)) {
    auto& have = node.metadata.labels[key];
    changed = changed || have != value;
    have = value;
  }
  return changed;
}

api::Node make_node(const NodeIdentity& identity, const HostFacts& facts) {
  api::Node node;
  node.metadata.name = identity.name;
  reconcile_labels(node, identity, facts);
  for (const auto& text : identity.taints) {
    const size_t colon = text.rfind(':'), equals = text.find('=');
    api::Taint taint;
    taint.effect = text.substr(colon + 1);
    taint.key = text.substr(0, std::min(equals, colon));
    if (equals < colon) taint.value = text.substr(equals + 1, colon - equals - 1);
    node.spec.taints.push_back(taint);
  }
  return node;
}

void update_node_status(api::Node& node, const NodeIdentity& identity, const HostFacts& facts,
                        const NodeHealth& health, const std::vector<api::ContainerImage>& images, WallTime now,
                        bool heartbeat) {
  auto& status = node.status;
  status.addresses.clear();
  const auto address = [&](const char* type, const std::string& value) {
    api::NodeAddress it;
    it.type = type;
    it.address = value;
    status.addresses.push_back(it);
  };
  address("InternalIP", identity.ip);
  address("Hostname", identity.name);

  status.capacity["cpu"] = quantity(std::to_string(facts.cpus));
  status.capacity["memory"] = quantity(std::to_string(facts.memory_bytes / 1024) + "Ki");
  status.capacity["ephemeral-storage"] = quantity(std::to_string(facts.disk_bytes / 1024) + "Ki");
  status.capacity["pods"] = quantity(std::to_string(identity.pods_max));
  for (const auto& [name, amount] : status.capacity) status.allocatable[name] = amount;

  auto& info = status.nodeInfo;
  info.machineID = facts.machine_id;
  info.systemUUID = facts.system_uuid;
  info.bootID = facts.boot_id;
  info.kernelVersion = facts.kernel;
  info.osImage = facts.os_image;
  info.containerRuntimeVersion = "kinglet://" + identity.version.substr(identity.version.find('v') == 0 ? 1 : 0);
  info.kubeletVersion = identity.version;
  info.kubeProxyVersion = "";
  info.operatingSystem = "linux";
  info.architecture = facts.architecture;
  status.daemonEndpoints.kubeletEndpoint.Port = 0;  // no listening port: reached through the server's connection
  status.images = images;

  const bool memory = health.memory_pressure, disk = health.disk_pressure;
  set_condition(node, "MemoryPressure", memory, memory ? "KubeletHasInsufficientMemory" : "KubeletHasSufficientMemory",
                memory ? "kubelet has insufficient memory available" : "kubelet has sufficient memory available", now,
                heartbeat);
  set_condition(node, "DiskPressure", disk, disk ? "KubeletHasDiskPressure" : "KubeletHasNoDiskPressure",
                disk ? "kubelet has disk pressure" : "kubelet has no disk pressure", now, heartbeat);
  set_condition(node, "PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available", now,
                heartbeat);
  const bool ready = health.runtime_ready && health.network_ready;
  set_condition(node, "Ready", ready, ready ? "KubeletReady" : "KubeletNotReady",
                ready ? "kubelet is posting ready status" : health.message, now, heartbeat);
}

}  // namespace kinglet::node
