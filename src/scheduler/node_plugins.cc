// Plugins that look at the node alone.
#include "scheduler/internal/plugins.h"

namespace kinglet::scheduler {
namespace {

class NodeUnschedulable final : public Plugin {
 public:
  const char* name() const override { return "NodeUnschedulable"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged; }
  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    static const client::Taint kTaint{"node.kubernetes.io/unschedulable", "", "NoSchedule", {}};
    if (info.node->unschedulable && !client::tolerated(cycle.wants.pod->tolerations, kTaint))
      reasons.push_back("node(s) were unschedulable");
  }
};

class TaintToleration final : public Plugin {
 public:
  const char* name() const override { return "TaintToleration"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged; }
  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    for (const auto& taint : info.node->taints) {
      if (taint.effect == "PreferNoSchedule" || client::tolerated(cycle.wants.pod->tolerations, taint)) continue;
      reasons.push_back(fmt::format("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value));
      return;  // the first one says enough
    }
  }
  int weight() const override { return 3; }
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    int64_t intolerable = 0;
    for (const auto& taint : info.node->taints)
      intolerable += taint.effect == "PreferNoSchedule" && !client::tolerated(cycle.wants.pod->tolerations, taint);
    return intolerable;
  }
  void normalise(const Cycle&, std::span<const NodeInfo* const>, std::vector<int64_t>& scores) const override {
    normalise_to_max(scores, true);
  }
};

class NodeAffinity final : public Plugin {
 public:
  const char* name() const override { return "NodeAffinity"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged; }
  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    if (!cycle.wants.nodes.match(*info.node)) reasons.push_back("node(s) didn't match Pod's node affinity/selector");
  }
  int weight() const override { return 2; }
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    int64_t sum = 0;
    for (const auto& preferred : cycle.wants.preferred_nodes)
      if (preferred.term.matches(*info.node)) sum += preferred.weight;
    return sum;
  }
  void normalise(const Cycle&, std::span<const NodeInfo* const>, std::vector<int64_t>& scores) const override {
    normalise_to_max(scores, false);
  }
};

class NodePorts final : public Plugin {
 public:
  const char* name() const override { return "NodePorts"; }
  uint32_t wakes_on() const override { return kNodeAdded | kPodRemoved; }
  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    if (info.ports.empty()) return;
    for (const auto& wanted : host_ports_of(*cycle.wants.pod))
      for (const auto& taken : info.ports)
        if (wanted.clashes(taken)) {
          reasons.push_back("node(s) didn't have free ports for the requested pod ports");
          return;
        }
  }
};

class ResourcesFit final : public Plugin {
 public:
  const char* name() const override { return "NodeResourcesFit"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged | kPodRemoved; }
  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    const auto& wants = cycle.wants.pod->requests;
    const auto& has = info.node->allocatable;
    const auto& used = info.used;
    if (static_cast<int64_t>(info.pods.size()) + 1 > info.node->pods_max) reasons.push_back("Too many pods");
    if (wants.milli_cpu > 0 && wants.milli_cpu > has.milli_cpu - used.milli_cpu) reasons.push_back("Insufficient cpu");
    if (wants.memory_bytes > 0 && wants.memory_bytes > has.memory_bytes - used.memory_bytes)
      reasons.push_back("Insufficient memory");
    if (wants.ephemeral_bytes > 0 && wants.ephemeral_bytes > has.ephemeral_bytes - used.ephemeral_bytes)
      reasons.push_back("Insufficient ephemeral-storage");
    for (const auto& [name, amount] : wants.extended)
      if (amount > 0 && amount > has.extended_amount(name) - used.extended_amount(name))
        reasons.push_back("Insufficient " + name);
  }
  int weight() const override { return 1; }
  // LeastAllocated: the emptier node is better.
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    const auto& has = info.node->allocatable;
    const auto free = [](int64_t used, int64_t capacity) {
      return capacity <= 0 || used > capacity ? int64_t{0} : static_cast<int64_t>(100.0 * static_cast<double>(capacity - used) / static_cast<double>(capacity));
    };
    return (free(info.scored_milli_cpu + scored_milli_cpu(*cycle.wants.pod), has.milli_cpu) +
            free(info.scored_memory + scored_memory(*cycle.wants.pod), has.memory_bytes)) / 2;
  }
};

class BalancedAllocation final : public Plugin {
 public:
  const char* name() const override { return "NodeResourcesBalancedAllocation"; }
  int weight() const override { return 1; }
  // Better where processor and memory are used alike: what is left over stays usable.
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    const auto& has = info.node->allocatable;
    const auto share = [](int64_t used, int64_t capacity) {
      return capacity <= 0 ? 0.0 : std::min(1.0, static_cast<double>(used) / static_cast<double>(capacity));
    };
    const double cpu = share(info.used.milli_cpu + cycle.wants.pod->requests.milli_cpu, has.milli_cpu);
    const double memory = share(info.used.memory_bytes + cycle.wants.pod->requests.memory_bytes, has.memory_bytes);
    const double apart = cpu > memory ? cpu - memory : memory - cpu;
    return static_cast<int64_t>((1.0 - apart / 2) * 100);
  }
};
}  // namespace

void normalise_to_max(std::vector<int64_t>& scores, bool reverse) {
  int64_t max = 0;
  for (const auto score : scores) max = std::max(max, score);
  for (auto& score : scores) {
    if (max > 0) score = score * 100 / max;
    if (reverse) score = 100 - score;
  }
}

std::unique_ptr<Plugin> make_node_unschedulable() { return std::make_unique<NodeUnschedulable>(); }
std::unique_ptr<Plugin> make_taint_toleration() { return std::make_unique<TaintToleration>(); }
std::unique_ptr<Plugin> make_node_affinity() { return std::make_unique<NodeAffinity>(); }
std::unique_ptr<Plugin> make_node_ports() { return std::make_unique<NodePorts>(); }
std::unique_ptr<Plugin> make_resources_fit() { return std::make_unique<ResourcesFit>(); }
std::unique_ptr<Plugin> make_balanced_allocation() { return std::make_unique<BalancedAllocation>(); }

std::vector<std::unique_ptr<Plugin>> default_plugins() {
  std::vector<std::unique_ptr<Plugin>> plugins;
  for (const auto make : {make_node_unschedulable, make_taint_toleration, make_node_affinity, make_node_ports,
                          make_resources_fit, make_balanced_allocation, make_topology_spread, make_inter_pod_affinity})
    plugins.push_back(make());
  return plugins;
}

}  // namespace kinglet::scheduler
