// What this machine uses just now, out of /proc. Pure parsers, and one reader.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::node {

struct HostUsage {
  uint64_t cpu_ns = 0;  // of all processors, since boot
  uint64_t memory_total_bytes = 0, memory_available_bytes = 0;
  uint64_t rss_bytes = 0;  // anonymous pages
  uint64_t processes = 0, pid_max = 0;
  int64_t boot_seconds = 0;  // since 1970
};
struct DiskUsage {
  uint64_t capacity_bytes = 0, available_bytes = 0, used_bytes = 0;
  uint64_t inodes = 0, inodes_free = 0;
};
struct LinkUsage {
  std::string name;
  uint64_t rx_bytes = 0, rx_errors = 0, tx_bytes = 0, tx_errors = 0;
};

// Source: proc(5).
void take_proc_stat(std::string_view text, uint64_t ticks_per_second, HostUsage& out);
void take_meminfo(std::string_view text, HostUsage& out);
std::vector<LinkUsage> parse_net_dev(std::string_view text);  // without "lo"

HostUsage read_host_usage();
DiskUsage read_disk_usage(const std::string& path);  // zeros when it cannot be asked
// Of the network namespace of a process; empty when that has gone.
std::vector<LinkUsage> read_links(const std::string& proc_dir);

}  // namespace kinglet::node
