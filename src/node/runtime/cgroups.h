// Cgroups: limits for pods and containers on any of v1, hybrid and v2, by writing files (the "cgroupfs driver").
// Source: kernel Documentation/admin-guide/cgroup-v1, cgroup-v2.rst.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/runtime/container_config.h"
#include "node/runtime/runtime.h"

namespace kinglet::runtime {

// Where the controllers are mounted. Pure, from /proc/self/mountinfo.
struct CgroupLayout {
  bool unified = false;                      // v2 alone: everything below `unified_mount`
  std::string unified_mount;                 // also in hybrid; empty: none
  std::map<std::string, std::string> v1;     // controller -> mount point ("memory" -> "/sys/fs/cgroup/memory")
  bool has(const std::string& controller) const;
  std::vector<std::string> v2_controllers;   // what the v2 mount offers
};
CgroupLayout parse_cgroup_mounts(const std::string& mountinfo, const std::string& v2_controllers);

// The files to write for `resources`, in order: (controller, file, text). Pure.
struct CgroupWrite {
  std::string controller, file, text;
  bool operator==(const CgroupWrite&) const = default;
};
std::vector<CgroupWrite> plan_cgroup_writes(const CgroupLayout& layout, const Resources& resources);
uint64_t cpu_weight_of_shares(uint64_t shares);  // v2's scale; as crun and systemd convert it

class Cgroups {
 public:
  // Reads the layout of this machine. `where` is for tests: another /proc/self/mountinfo.
  static Result<std::unique_ptr<Cgroups>> open(const std::string& mountinfo = "/proc/self/mountinfo");
  explicit Cgroups(CgroupLayout layout) : layout_(std::move(layout)) {}

  const CgroupLayout& layout() const { return layout_; }
  // Makes `path` ("/kubepods/burstable/pod1") in every hierarchy, with what it needs to hold processes (cpuset), and
  // sets the limits. A controller that the machine lacks is skipped and said once. Idempotent.
  Result<void> make(const std::string& path, const Resources& resources);
  // Kills nothing: io when processes are left. Children are removed first. Idempotent.
  Result<void> remove(const std::string& path);
  // Puts the calling thread there, and so what it starts from now on: moving each of them costs tens of milliseconds,
  // since the kernel waits for all processors. v1 only; v2 knows no threads apart from their process.
  Result<void> move_this_thread(const std::string& path);
  // The rest of it, for v2: to be done once the process runs. Nothing to do on v1.
  Result<void> move_in_v2(pid_t pid, const std::string& path);
  std::vector<pid_t> processes(const std::string& path) const;  // of its children too
  ContainerStats stats(const std::string& path) const;
  uint64_t oom_kills(const std::string& path) const;

 private:
  std::vector<std::string> directories(const std::string& path) const;  // one per hierarchy
  std::string directory(const std::string& controller, const std::string& path) const;
  Result<void> make_v1(const std::string& controller, const std::string& mount, const std::string& path);
  Result<void> make_v2(const std::string& path);

  CgroupLayout layout_;
  std::map<std::string, bool> warned_;
};

}  // namespace kinglet::runtime
