#include "scheduler/internal/decide.h"

namespace kinglet::scheduler {
namespace {
constexpr size_t kNodesAlwaysTried = 100;
}

size_t Decider::enough(size_t nodes) {
  if (nodes <= kNodesAlwaysTried) return nodes;
  // Upstream's share: half of them, less the more there are, never under 5 %.
  const size_t percent = std::max<size_t>(5, 50 - std::min<size_t>(50, nodes / 125));
  return std::max(kNodesAlwaysTried, nodes * percent / 100);
}

Decision Decider::decide(const Cluster& cluster, const Wants& wants) {
  if (cluster.size() == 0) return {{}, "no nodes available to schedule pods", kNodeAdded};
  Cycle cycle{cluster, wants, {}, {}, {}, {}, {}, false, {}};
  for (const auto& plugin : plugins_) plugin->prepare(cycle);

  const size_t count = cluster.size(), wanted = enough(count);
  std::vector<const NodeInfo*> fitting;
  std::map<std::string, size_t> reasons;
  uint32_t wakes_on = 0;
  std::vector<std::string> why;
  size_t tried = 0;
  for (; tried < count && fitting.size() < wanted; ++tried) {
    const auto& info = cluster.at((start_ + tried) % count);
    for (const auto& plugin : plugins_) {
      plugin->filter(cycle, info, why);
      if (why.empty()) continue;
      wakes_on |= plugin->wakes_on();
      break;
    }
    if (why.empty()) fitting.push_back(&info);
    for (auto& reason : why) ++reasons[std::move(reason)];
    why.clear();
  }
  start_ = (start_ + tried) % count;
  if (fitting.empty()) return {{}, unfit_message(count, reasons), wakes_on};
  return {best(cycle, fitting)->node->meta.name, {}, 0};
}

const NodeInfo* Decider::best(const Cycle& cycle, const std::vector<const NodeInfo*>& fitting) {
  if (fitting.size() == 1) return fitting.front();
  std::vector<int64_t> total(fitting.size()), scores(fitting.size());
  for (const auto& plugin : plugins_) {
    if (plugin->weight() == 0) continue;
    for (size_t i = 0; i < fitting.size(); ++i) scores[i] = plugin->score(cycle, *fitting[i]);
    plugin->normalise(cycle, fitting, scores);
    for (size_t i = 0; i < fitting.size(); ++i) total[i] += scores[i] * plugin->weight();
  }
  // Chance decides between equals, or the first name would get everything.
  size_t chosen = 0, equals = 1;
  for (size_t i = 1; i < total.size(); ++i) {
    if (total[i] > total[chosen]) {
      chosen = i;
      equals = 1;
    } else if (total[i] == total[chosen] && random_.below(++equals) == 0) {
      chosen = i;
    }
  }
  return fitting[chosen];
}

std::string unfit_message(size_t nodes, const std::map<std::string, size_t>& reasons) {
  std::vector<std::string> parts;
  for (const auto& [reason, count] : reasons) parts.push_back(fmt::format("{} {}", count, reason));
  std::sort(parts.begin(), parts.end());
  return fmt::format("0/{} nodes are available: {}.", nodes, fmt::join(parts, ", "));
}

}  // namespace kinglet::scheduler
