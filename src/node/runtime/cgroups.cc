#include "node/runtime/cgroups.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/log.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
const Log& log() {
  static const Log log("cgroups");
  return log;
}

std::string read_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  while (fd && (n = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  return text;
}

Result<void> write_text(const std::string& path, const std::string& text) {
  // No O_CREAT: the kernel made the file, or the controller is not there.
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, path);
  if (::write(fd.get(), text.data(), text.size()) < 0) return errno_error(errno, fmt::format("write \"{}\" to {}", text, path));
  return {};
}

uint64_t number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;  // "max" and nothing are 0
}

// "key value" lines.
uint64_t field(const std::string& text, const std::string& key) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, key.size(), key) == 0 && text[at + key.size()] == ' ')
      return number(text.substr(at + key.size() + 1, end - at - key.size() - 1));
    at = end + 1;
  }
  return 0;
}
}  // namespace

namespace {
CgroupLayout read_layout(const std::string& mountinfo) {
  const auto layout = parse_cgroup_mounts(read_text(mountinfo), "");
  if (layout.unified_mount.empty()) return layout;
  return parse_cgroup_mounts(read_text(mountinfo), read_text(layout.unified_mount + "/cgroup.controllers"));
}

// v1 beside a v2 that still has controllers (often hugetlb, which nobody mounted): crun refuses to work with that. It is
// put right as systemd's hybrid mode has it: those controllers get a v1 hierarchy of their own, until the next boot.
bool give_leftovers_a_hierarchy(const CgroupLayout& layout) {
  bool changed = false;
  for (const auto& controller : layout.v2_controllers) {
    const auto place = fs::path(layout.unified_mount).parent_path() / controller;
    std::error_code ignored;
    fs::create_directory(place, ignored);
    if (::mount("cgroup", place.c_str(), "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, controller.c_str()) == 0) {
      log().info("mounted a cgroup controller that was left over", kv("controller", controller));
      changed = true;
    } else {
      log().warn("containers may fail to start: crun wants no controllers in cgroup2 beside cgroup v1",
                 kv("controller", controller), kv("error", errno_error(errno, "mount")));
    }
  }
  return changed;
}
}  // namespace

Result<std::unique_ptr<Cgroups>> Cgroups::open(const std::string& mountinfo) {
  auto layout = read_layout(mountinfo);
  if (!layout.unified && !layout.unified_mount.empty() && give_leftovers_a_hierarchy(layout))
    layout = read_layout(mountinfo);
  if (layout.v1.empty() && layout.unified_mount.empty())
    return Error(Code::unavailable, "no cgroup file system is mounted: mount one at /sys/fs/cgroup");
  return std::make_unique<Cgroups>(std::move(layout));
}

std::string Cgroups::directory(const std::string& controller, const std::string& path) const {
  if (layout_.unified) return layout_.unified_mount + path;
  const auto found = layout_.v1.find(controller);
  return found == layout_.v1.end() ? std::string() : found->second + path;
}

std::vector<std::string> Cgroups::directories(const std::string& path) const {
  std::set<std::string> mounts;  // cpu and cpuacct are often one
  if (!layout_.unified)
    for (const auto& [controller, mount] : layout_.v1) mounts.insert(mount);
  if (!layout_.unified_mount.empty()) mounts.insert(layout_.unified_mount);
  std::vector<std::string> out;
  for (const auto& mount : mounts) out.push_back(mount + path);
  return out;
}

// Level by level: in v1 a new cpuset is empty and takes no process until it has processors and memory nodes.
Result<void> Cgroups::make_v1(const std::string& controller, const std::string& mount,
                              const std::string& path) {
  for (size_t slash = 1; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string dir = mount + path.substr(0, slash);
    if (::mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) return errno_error(errno, dir);
    if (controller != "cpuset") continue;
    const std::string parent = dir.substr(0, dir.rfind('/'));
    for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
      const auto has = read_text(dir + file);
      if (!has.empty() && has != "\n") continue;
      // The effective set: a parent may itself be the root, or lie under one with fewer processors.
      KL_CHECK_FN(write_text(dir + file, read_text(parent + file)));
    }
  }
  return {};
}

Result<void> Cgroups::make_v2(const std::string& path) {
  const std::string& mount = layout_.unified_mount;
  static const char* const kWanted[] = {"cpu", "cpuset", "memory", "pids", "io", "hugetlb"};
  for (size_t slash = 1; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    const std::string dir = mount + path.substr(0, slash);
    if (::mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) return errno_error(errno, dir);
    if (!layout_.unified) continue;
    // A controller reaches a directory only if its parent hands it down. One write each: with several in
    // one, a single refusal refuses all.
    const std::string parent = dir.substr(0, dir.rfind('/'));
    const std::string handed = " " + read_text(parent + "/cgroup.subtree_control");
    for (const char* controller : kWanted)
      if (layout_.has(controller) && handed.find(fmt::format(" {}", controller)) == std::string::npos)
        if (auto ok = write_text(parent + "/cgroup.subtree_control", fmt::format("+{}", controller)); !ok)
          if (!std::exchange(warned_[controller], true))
            log().warn("cgroup controller not handed down", kv("controller", controller), kv("error", ok.error()));
  }
  return {};
}

Result<void> Cgroups::make(const std::string& path, const Resources& resources) {
  if (!path.starts_with('/') || path.find("..") != std::string::npos)
    return Error(Code::invalid, "cgroup path \"{}\" is not absolute", path);
  if (!layout_.unified_mount.empty()) KL_CHECK_FN(make_v2(path));
  if (!layout_.unified)
    for (const auto& [controller, mount] : layout_.v1) KL_CHECK_FN(make_v1(controller, mount, path));
  for (const auto& write : plan_cgroup_writes(layout_, resources)) {
    if (!layout_.has(write.controller)) {
      if (!std::exchange(warned_[write.controller], true))
        log().warn("cgroup controller missing: its limits are not enforced", kv("controller", write.controller));
      continue;
    }
    KL_CHECK_FN(write_text(directory(write.controller, path) + "/" + write.file, write.text));
  }
  return {};
}

Result<void> Cgroups::remove(const std::string& path) {
  std::optional<Error> failure;
  for (const auto& top : directories(path)) {
    std::error_code ignored;
    std::vector<std::string> dirs{top};
    for (fs::recursive_directory_iterator it(top, ignored), end; it != end; it.increment(ignored))
      if (it->is_directory(ignored)) dirs.push_back(it->path().string());
    // Deepest first: the iterator comes to a directory before its children.
    for (auto dir = dirs.rbegin(); dir != dirs.rend(); ++dir)
      if (::rmdir(dir->c_str()) != 0 && errno != ENOENT) failure = errno_error(errno, *dir);
  }
  if (failure) return *failure;
  return {};
}


Result<void> Cgroups::move_this_thread(const std::string& path) {
  if (layout_.unified) return {};
  std::set<std::string> mounts;
  for (const auto& [controller, mount] : layout_.v1) mounts.insert(mount);
  for (const auto& mount : mounts)
    KL_CHECK_FN(write_text(mount + path + "/tasks", std::to_string(::gettid())));
  return {};
}

Result<void> Cgroups::move_in_v2(pid_t pid, const std::string& path) {
  if (layout_.unified_mount.empty()) return {};
  return write_text(layout_.unified_mount + path + "/cgroup.procs", std::to_string(pid));
}

std::vector<pid_t> Cgroups::processes(const std::string& path) const {
  // Any hierarchy that crun uses will do; pids and memory may be missing.
  std::string top;
  for (const char* controller : {"pids", "freezer", "devices", "memory", "cpu"})
    if (top.empty() && (layout_.unified || layout_.has(controller))) top = directory(controller, path);
  std::vector<pid_t> out;
  std::error_code ignored;
  std::vector<std::string> dirs{top};
  for (fs::recursive_directory_iterator it(top, ignored), end; it != end; it.increment(ignored))
    if (it->is_directory(ignored)) dirs.push_back(it->path().string());
  for (const auto& dir : dirs) {
    std::istringstream lines(read_text(dir + "/cgroup.procs"));
    for (pid_t pid = 0; lines >> pid;) out.push_back(pid);
  }
  return out;
}

ContainerStats Cgroups::stats(const std::string& path) const {
  ContainerStats out;
  const std::string memory = directory("memory", path);
  if (layout_.unified) {
    out.cpu_ns = field(read_text(directory("cpu", path) + "/cpu.stat"), "usage_usec") * 1000;
    const auto stat = read_text(memory + "/memory.stat");
    out.memory_bytes = number(read_text(memory + "/memory.current"));
    out.memory_limit_bytes = number(read_text(memory + "/memory.max"));
    out.rss_bytes = field(stat, "anon");
    out.page_faults = field(stat, "pgfault");
    out.major_page_faults = field(stat, "pgmajfault");
    const auto inactive = field(stat, "inactive_file");
    out.working_set_bytes = out.memory_bytes > inactive ? out.memory_bytes - inactive : 0;
  } else {
    out.cpu_ns = number(read_text(directory("cpuacct", path) + "/cpuacct.usage"));
    if (!memory.empty()) {
      constexpr uint64_t kUnlimited = uint64_t{1} << 62;  // v1 shows "none" as a huge number
      const auto stat = read_text(memory + "/memory.stat");
      out.memory_bytes = number(read_text(memory + "/memory.usage_in_bytes"));
      const auto limit = number(read_text(memory + "/memory.limit_in_bytes"));
      out.memory_limit_bytes = limit < kUnlimited ? limit : 0;
      out.rss_bytes = field(stat, "total_rss");
      out.page_faults = field(stat, "total_pgfault");
      out.major_page_faults = field(stat, "total_pgmajfault");
      const auto inactive = field(stat, "total_inactive_file");
      out.working_set_bytes = out.memory_bytes > inactive ? out.memory_bytes - inactive : 0;
    }
  }
  out.pids = number(read_text(directory("pids", path) + "/pids.current"));
  return out;
}

uint64_t Cgroups::oom_kills(const std::string& path) const {
  if (!layout_.unified && !layout_.has("memory")) return 0;
  const std::string dir = directory("memory", path);
  return field(read_text(dir + (layout_.unified ? "/memory.events" : "/memory.oom_control")), "oom_kill");
}

}  // namespace kinglet::runtime
