#include <sstream>

#include "node/runtime/cgroups.h"

namespace kinglet::runtime {
namespace {
std::vector<std::string> words(const std::string& text, char separator) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool is_controller(const std::string& word) {
  static const char* const kControllers[] = {"cpu",     "cpuacct", "cpuset", "memory",  "pids",
                                             "devices", "freezer", "blkio",  "hugetlb", "net_cls",
                                             "net_prio", "perf_event", "rdma", "misc"};
  return word.starts_with("name=") ||
         std::find(std::begin(kControllers), std::end(kControllers), word) != std::end(kControllers);
}
}  // namespace

bool CgroupLayout::has(const std::string& controller) const {
  if (!unified) return v1.contains(controller);
  return std::find(v2_controllers.begin(), v2_controllers.end(), controller) != v2_controllers.end();
}

CgroupLayout parse_cgroup_mounts(const std::string& mountinfo, const std::string& v2_controllers) {
  CgroupLayout out;
  // 25 17 0:22 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
  for (const auto& line : words(mountinfo, '\n')) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto left = words(line.substr(0, dash), ' ');
    const auto right = words(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    // Another mount of the same hierarchy (a container's view) comes later; the first is the machine's.
    if (right[0] == "cgroup2" && out.unified_mount.empty()) out.unified_mount = left[4];
    if (right[0] != "cgroup") continue;
    for (const auto& option : words(right[2], ','))
      if (is_controller(option)) out.v1.try_emplace(option, left[4]);
  }
  const auto real = std::count_if(out.v1.begin(), out.v1.end(), [](const auto& item) {
    return !item.first.starts_with("name=");
  });
  out.unified = real == 0 && !out.unified_mount.empty();
  std::string one_line = v2_controllers;
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  out.v2_controllers = words(one_line, ' ');
  return out;
}

uint64_t cpu_weight_of_shares(uint64_t shares) {
  const uint64_t clamped = std::clamp<uint64_t>(shares, 2, 262144);
  return 1 + (clamped - 2) * 9999 / 262142;
}

std::vector<CgroupWrite> plan_cgroup_writes(const CgroupLayout& layout, const Resources& resources) {
  std::vector<CgroupWrite> out;
  const auto limit = [&](int64_t value) {
    return value < 0 ? std::string(layout.unified ? "max" : "-1") : std::to_string(value);
  };
  if (resources.cpu_shares) {
    if (layout.unified)
      out.push_back({"cpu", "cpu.weight", std::to_string(cpu_weight_of_shares(*resources.cpu_shares))});
    else
      out.push_back({"cpu", "cpu.shares", std::to_string(std::max<uint64_t>(2, *resources.cpu_shares))});
  }
  if (resources.cpu_quota_us) {
    if (layout.unified) {
      out.push_back({"cpu", "cpu.max",
                     fmt::format("{} {}", limit(*resources.cpu_quota_us), resources.cpu_period_us)});
    } else {
      out.push_back({"cpu", "cpu.cfs_period_us", std::to_string(resources.cpu_period_us)});
      out.push_back({"cpu", "cpu.cfs_quota_us", limit(*resources.cpu_quota_us)});
    }
  }
  if (resources.memory_limit_bytes)
    out.push_back({"memory", layout.unified ? "memory.max" : "memory.limit_in_bytes",
                   limit(*resources.memory_limit_bytes)});
  if (resources.pids_limit)
    out.push_back({"pids", "pids.max", *resources.pids_limit <= 0 ? "max" : std::to_string(*resources.pids_limit)});
  return out;
}

}  // namespace kinglet::runtime
