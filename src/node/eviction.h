// What happens when the node itself runs short: which pods have to go, and what the Node says.
// Pure. Source: kubelet's eviction manager (hard thresholds, ranking by memory).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/clock.h"
#include "node/host_usage.h"

namespace kinglet::node {

constexpr Duration kPressureCheck = std::chrono::seconds(10);
// A condition stays for so long after the shortage has ended, so that it does not flap.
constexpr Duration kPressureKept = std::chrono::minutes(5);

struct Shortage {
  uint64_t memory_available = 0, memory_threshold = 0;
  bool memory = false, disk = false;
};
// 100 MiB of memory, but not more than a tenth of it; a twentieth of the disk or its inodes, but
// not more than 5 GiB.
Shortage shortage_of(const HostUsage& host, const DiskUsage& disk);

struct PodUse {
  std::string uid;
  int64_t priority = 0;
  uint64_t requested_bytes = 0, used_bytes = 0;
  bool critical = false;  // never goes
};
bool is_critical(const api::Pod& pod);
uint64_t memory_request_of(const api::Pod& pod);
// Who goes first: those that use more than they asked for, then the less important, then those that
// exceed most. nullopt: nobody may.
std::optional<PodUse> first_to_evict(std::vector<PodUse> pods);
std::string eviction_message(const Shortage& shortage, const PodUse& pod);

}  // namespace kinglet::node
