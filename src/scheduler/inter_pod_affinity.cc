// InterPodAffinity: near some pods, away from others.
#include "scheduler/internal/plugins.h"

namespace kinglet::scheduler {
namespace {
std::string domain_of(const Node& node, const std::string& key) {
  const auto* value = node.meta.label(key);
  return value ? key + "=" + *value : std::string();
}

bool matches_all(const std::vector<PodTerm>& terms, const Pod& pod, const std::string& ns) {
  return std::all_of(terms.begin(), terms.end(), [&](const PodTerm& term) { return term.matches(pod, ns); });
}

class InterPodAffinity final : public Plugin {
 public:
  const char* name() const override { return "InterPodAffinity"; }
  uint32_t wakes_on() const override { return kNodeAdded | kNodeChanged | kPodRemoved | kPodPlaced; }

  void prepare(Cycle& cycle) const override {
    note_guards(cycle);
    const auto& w = cycle.wants;
    if (w.affinity.empty() && w.anti_affinity.empty() && w.preferred_affinity.empty() && w.preferred_anti_affinity.empty())
      return;
    for (size_t i = 0; i < cycle.cluster.size(); ++i) {
      const auto& info = cycle.cluster.at(i);
      for (const auto& [key, pod] : info.pods) note_neighbour(cycle, *info.node, *pod);
    }
    cycle.first_of_its_kind = cycle.near.empty() && matches_all(w.affinity, *w.pod, w.pod->meta.ns);
  }

  void filter(const Cycle& cycle, const NodeInfo& info, std::vector<std::string>& reasons) const override {
    const auto& node = *info.node;
    for (const auto& term : cycle.wants.affinity) {
      const auto domain = domain_of(node, term.topology_key);
      if (domain.empty() || (!cycle.near.contains(domain) && !cycle.first_of_its_kind)) {
        reasons.push_back("node(s) didn't match pod affinity rules");
        return;
      }
    }
    for (const auto& term : cycle.wants.anti_affinity)
      if (const auto domain = domain_of(node, term.topology_key); !domain.empty() && cycle.away.contains(domain)) {
        reasons.push_back("node(s) didn't match pod anti-affinity rules");
        return;
      }
    for (const auto& [domain, count] : cycle.guarded) {
      const auto equals = domain.find('=');
      if (domain_of(node, domain.substr(0, equals)) == domain) {
        reasons.push_back("node(s) didn't satisfy existing pods anti-affinity rules");
        return;
      }
    }
  }

  int weight() const override { return 2; }
  int64_t score(const Cycle& cycle, const NodeInfo& info) const override {
    int64_t sum = 0;
    for (const auto& [domain, value] : cycle.preferred) {
      const auto equals = domain.find('=');
      if (domain_of(*info.node, domain.substr(0, equals)) == domain) sum += value;
    }
    return sum;
  }
  void normalise(const Cycle&, std::span<const NodeInfo* const>, std::vector<int64_t>& scores) const override {
    if (scores.empty()) return;
    const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    const int64_t low = *least, range = *most - low;
    for (auto& score : scores) score = range == 0 ? 0 : (score - low) * 100 / range;
  }

 private:
  static void note_guards(Cycle& cycle) {
    for (const auto& [key, guard] : cycle.cluster.guards()) {
      const auto* info = cycle.cluster.find(guard.node);
      if (!info || !info->node) continue;
      for (const auto& term : guard.terms)
        if (term.matches(*cycle.wants.pod, guard.pod->meta.ns))
          if (const auto domain = domain_of(*info->node, term.topology_key); !domain.empty()) ++cycle.guarded[domain];
    }
  }

  static void note_neighbour(Cycle& cycle, const Node& node, const Pod& pod) {
    const auto& w = cycle.wants;
    const auto& ns = w.pod->meta.ns;
    // Affinity terms hold together: only a pod that matches them all makes its domains near.
    if (!w.affinity.empty() && matches_all(w.affinity, pod, ns))
      for (const auto& term : w.affinity)
        if (const auto domain = domain_of(node, term.topology_key); !domain.empty()) ++cycle.near[domain];
    for (const auto& term : w.anti_affinity)
      if (term.matches(pod, ns))
        if (const auto domain = domain_of(node, term.topology_key); !domain.empty()) ++cycle.away[domain];
    const auto prefer = [&](const std::vector<PodTerm>& terms, int sign) {
      for (const auto& term : terms)
        if (term.matches(pod, ns))
          if (const auto domain = domain_of(node, term.topology_key); !domain.empty())
            cycle.preferred[domain] += sign * term.weight;
    };
    prefer(w.preferred_affinity, 1);
    prefer(w.preferred_anti_affinity, -1);
  }
};
}  // namespace

std::unique_ptr<Plugin> make_inter_pod_affinity() { return std::make_unique<InterPodAffinity>(); }

}  // namespace kinglet::scheduler
