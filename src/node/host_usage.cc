#include "node/host_usage.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>

namespace kinglet::node {
namespace {
constexpr size_t kProcBytesMax = 1 << 20;
constexpr size_t kLinksMax = 64;
constexpr uint64_t kNanoseconds = 1'000'000'000;

std::string read_proc(const std::string& path) {
  std::string out;
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return out;
  char buffer[4096];
  for (size_t n = 0;
       out.size() < kProcBytesMax && (n = std::fread(buffer, 1, sizeof(buffer), file)) > 0;)
    out.append(buffer, n);
  std::fclose(file);
  return out;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view take_word(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  size_t end = 0;
  while (end < line.size() && line[end] != ' ' && line[end] != '\t') ++end;
  const auto word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

uint64_t number_of(std::string_view word) {
  uint64_t out = 0;
  std::from_chars(word.data(), word.data() + word.size(), out);
  return out;
}

}  // namespace

void take_proc_stat(std::string_view text, uint64_t ticks_per_second, HostUsage& out) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto name = take_word(line);
    if (name == "cpu") {
      // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
      uint64_t busy = 0;
      for (int field = 0; field < 8; ++field) {
        const uint64_t ticks = number_of(take_word(line));
        if (field != 3 && field != 4) busy += ticks;
      }
      out.cpu_ns = busy * (kNanoseconds / std::max<uint64_t>(ticks_per_second, 1));
    } else if (name == "btime") {
      out.boot_seconds = static_cast<int64_t>(number_of(take_word(line)));
    }
  }
}

void take_meminfo(std::string_view text, HostUsage& out) {
  while (!text.empty()) {
    auto line = take_line(text);
    const auto name = take_word(line);
    const uint64_t bytes = number_of(take_word(line)) * 1024;
    if (name == "MemTotal:") out.memory_total_bytes = bytes;
    if (name == "MemAvailable:") out.memory_available_bytes = bytes;
    if (name == "AnonPages:") out.rss_bytes = bytes;
  }
}

std::vector<LinkUsage> parse_net_dev(std::string_view text) {
  std::vector<LinkUsage> out;
  while (!text.empty() && out.size() < kLinksMax) {
    auto line = take_line(text);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto name = line.substr(0, colon);
    line.remove_prefix(colon + 1);
    LinkUsage link;
    link.name = take_word(name);
    if (link.name.empty() || link.name == "lo") continue;
    uint64_t fields[16] = {};
    for (auto& field : fields) field = number_of(take_word(line));
    link.rx_bytes = fields[0];
    link.rx_errors = fields[2];
    link.tx_bytes = fields[8];
    link.tx_errors = fields[10];
    out.push_back(std::move(link));
  }
  return out;
}

HostUsage read_host_usage() {
  HostUsage out;
  take_proc_stat(read_proc("/proc/stat"), static_cast<uint64_t>(::sysconf(_SC_CLK_TCK)), out);
  take_meminfo(read_proc("/proc/meminfo"), out);
  // "0.20 0.18 0.12 1/80 11206": running/all.
  std::string load = read_proc("/proc/loadavg");
  if (const size_t slash = load.find('/'); slash != std::string::npos)
    out.processes = number_of(std::string_view(load).substr(slash + 1));
  std::string pids = read_proc("/proc/sys/kernel/pid_max");
  out.pid_max = number_of(std::string_view(pids));
  return out;
}

DiskUsage read_disk_usage(const std::string& path) {
  DiskUsage out;
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return out;
  const uint64_t block = info.f_frsize;
  out.capacity_bytes = info.f_blocks * block;
  out.available_bytes = info.f_bavail * block;
  out.used_bytes = (info.f_blocks - info.f_bfree) * block;
  out.inodes = info.f_files;
  out.inodes_free = info.f_ffree;
  return out;
}

std::vector<LinkUsage> read_links(const std::string& proc_dir) {
  return parse_net_dev(read_proc(proc_dir + "/net/dev"));
}

}  // namespace kinglet::node
