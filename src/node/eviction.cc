#include "node/eviction.h"

#include "node/static_pods.h"

namespace kinglet::node {
namespace {
constexpr uint64_t kMemoryBytes = 100 << 20, kDiskBytes = uint64_t{5} << 30;
constexpr int64_t kCriticalPriority = 2'000'000'000;
constexpr uint64_t kTenth = 10, kTwentieth = 20;
}  // namespace

Shortage shortage_of(const HostUsage& host, const DiskUsage& disk) {
  Shortage out;
  out.memory_available = host.memory_available_bytes;
  out.memory_threshold = std::min(kMemoryBytes, host.memory_total_bytes / kTenth);
  out.memory = host.memory_total_bytes > 0 && host.memory_available_bytes < out.memory_threshold;
  const bool full = disk.capacity_bytes > 0 &&
                    disk.available_bytes < std::min(kDiskBytes, disk.capacity_bytes / kTwentieth);
  const bool no_inodes = disk.inodes > 0 && disk.inodes_free < disk.inodes / kTwentieth;
  out.disk = full || no_inodes;
  return out;
}

bool is_critical(const api::Pod& pod) {
  return is_static(pod) || is_mirror(pod) || pod.spec.priority.value_or(0) >= kCriticalPriority;
}

uint64_t memory_request_of(const api::Pod& pod) {
  uint64_t out = 0;
  for (const auto& container : pod.spec.containers) {
    const auto found = container.resources.requests.find("memory");
    if (found != container.resources.requests.end())
      out += static_cast<uint64_t>(std::max<int64_t>(0, found->second.value()));
  }
  return out;
}

std::optional<PodUse> first_to_evict(std::vector<PodUse> pods) {
  std::erase_if(pods, [](const PodUse& pod) { return pod.critical; });
  if (pods.empty()) return std::nullopt;
  const auto excess = [](const PodUse& pod) {
    return static_cast<int64_t>(pod.used_bytes) - static_cast<int64_t>(pod.requested_bytes);
  };
  return *std::min_element(pods.begin(), pods.end(), [&](const PodUse& a, const PodUse& b) {
    const bool a_over = excess(a) > 0, b_over = excess(b) > 0;
    if (a_over != b_over) return a_over;
    if (a.priority != b.priority) return a.priority < b.priority;
    return excess(a) > excess(b);
  });
}

std::string eviction_message(const Shortage& shortage, const PodUse& pod) {
  return fmt::format(
      "The node was low on resource: memory. Threshold quantity: {}Ki, available: {}Ki. The pod "
      "was using {}Ki, request "
      "is {}Ki.",
      shortage.memory_threshold >> 10, shortage.memory_available >> 10, pod.used_bytes >> 10,
      pod.requested_bytes >> 10);
}

}  // namespace kinglet::node
