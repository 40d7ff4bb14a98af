// PodTopologySpread: keeps like pods apart over zones, nodes or whatever label names the domains.
#include "scheduler/internal/plugins.h"

namespace kinglet::scheduler {
namespace {

bool counts_node(const SpreadConstraint& c, const Wants& wants, const Node& node) {
  if (c.respect_affinity && !wants.nodes.match(node)) return false;
  if (!c.respect_taints) return true;
  return std::all_of(node.taints.begin(), node.taints.end(), [&](const client::Taint& taint) {
    return taint.effect == "PreferNoSchedule" || client::tolerated(wants.pod->tolerations, taint);
  });
}

Cycle::Spread count(const Cycle& cycle, const SpreadConstraint& c) {
  Cycle::Spread spread;
  const auto& self = *cycle.wants.pod;
  spread.self = client::matches(c.selector, self.meta.labels);
  for (size_t i = 0; i < cycle.cluster.size(); ++i) {
    const auto& info = cycle.cluster.at(i);
    const auto* domain = info.node->meta.label(c.topology_key);
    if (!domain || !counts_node(c, cycle.wants, *info.node)) continue;
    auto& matching = spread.counts[*domain];
    for (const auto& [key, pod] : info.pods)
      matching += key.ns == self.meta.ns && !pod->meta.deleted && client::matches(c.selector, pod->meta.labels);
  }
  bool first = true;
  for (const auto& [domain, matching] : spread.counts) {
    spread.least = first ? matching : std::min(spread.least, matching);
    first = false;
  }
  if (static_cast<int>(spread.counts.size()) < c.min_domains) spread.least = 0;
  return spread;
}

class TopologySpread final : public Plugin {
 public:
  const char* name() const override { return "PodTopologySpread"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged | kPodRemoved | kPodPlaced; }

  void prepare(Cycle& cycle) const override {
    for (const auto& c : cycle.wants.spread) cycle.spread.push_back(count(cycle, c));
  }

  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    for (size_t i = 0; i < cycle.wants.spread.size(); ++i) {
      const auto& c = cycle.wants.spread[i];
      if (!c.hard) continue;
      const auto* domain = info.node->meta.label(c.topology_key);
      if (!domain) {
        reasons.push_back("node(s) didn't match pod topology spread constraints (missing required label)");
        return;
      }
      const auto& spread = cycle.spread[i];
      const auto at = spread.counts.find(*domain);
      const int here = at == spread.counts.end() ? 0 : at->second;
      if (here + spread.self - spread.least > c.max_skew) {
        reasons.push_back("node(s) didn't match pod topology spread constraints");
        return;
      }
    }
  }

  int weight() const override { return 2; }

  // Lower is better until normalised. Pods that say nothing are spread too, by their owner: a set's pods prefer nodes
  // with few of their own. Upstream asks the owner's selector; the owner itself answers the same at once.
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    int64_t crowd = 0;
    bool any = false;
    for (size_t i = 0; i < cycle.wants.spread.size(); ++i) {
      const auto& c = cycle.wants.spread[i];
      if (c.hard) continue;
      any = true;
      const auto* domain = info.node->meta.label(c.topology_key);
      const auto at = domain ? cycle.spread[i].counts.find(*domain) : cycle.spread[i].counts.end();
      if (at != cycle.spread[i].counts.end()) crowd += at->second;
    }
    if (any || !cycle.wants.spread.empty()) return crowd;
    const auto* owner = cycle.wants.pod->meta.controller();
    if (!owner) return 0;
    const auto here = info.by_owner.find(owner->uid);
    return here == info.by_owner.end() ? 0 : here->second;
  }

  void normalise(const Cycle&, std::span<const NodeInfo* const>, std::vector<int64_t>& scores) const override {
    if (scores.empty()) return;
    const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    const int64_t low = *least, range = *most - low;
    for (auto& score : scores) score = range == 0 ? 100 : 100 - (score - low) * 100 / range;
  }
};
}  // namespace

std::unique_ptr<Plugin> make_topology_spread() { return std::make_unique<TopologySpread>(); }

}  // namespace kinglet::scheduler
