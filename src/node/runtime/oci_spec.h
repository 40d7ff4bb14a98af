// The OCI runtime spec (config.json) of a container. Pure: values in, JSON out.
// Source: OCI runtime-spec 1.0; defaults as containerd's CRI plugin has them.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "node/runtime/container_config.h"
#include "node/runtime/images.h"
#include "node/runtime/passwd.h"

namespace kinglet::runtime {

// A device of the host, looked up before.
struct DeviceNode {
  std::string path;  // in the container
  char type = 'c';   // 'c', 'b' or 'p'
  int64_t major = 0, minor = 0;
  uint32_t mode = 0666, uid = 0, gid = 0;
  std::string permissions = "rwm";
};

struct SpecInput {
  std::string id, rootfs;
  SandboxConfig sandbox;
  ContainerConfig container;
  ImageConfig image;
  ProcessUser user;
  std::vector<DeviceNode> devices;
  // Namespaces to join; empty: a new one (pid, cgroup, mount), or the host's where the sandbox says so.
  std::string ipcns_path, utsns_path, pidns_path;
  // Files and directories of the sandbox; empty: not mounted.
  std::string hosts_file, resolv_conf_file, hostname_file, shm_dir;
  std::string cgroup_path;
  bool cgroup_v2 = false;
  // What the machine's own limits allow; see lab facts in docs: raising beyond is refused by the kernel.
  int oom_score_adj_min = -1000;
  std::set<std::string> capabilities_max;  // of this process; empty: not known, all
  bool has_memory_cgroup = true, has_cpu_cgroup = true, has_pids_cgroup = true;
  json::Value localhost_seccomp;  // the profile, for Seccomp::Type::localhost
};
// Errors: invalid (no command, a relative path, an unknown capability).
Result<json::Object> build_spec(const SpecInput& input);

// What runs: Kubernetes' command and args over the image's entrypoint and cmd. Errors: invalid (nothing to run).
Result<std::vector<std::string>> command_of(const ContainerConfig& container, const ImageConfig& image);
std::vector<std::string> environment_of(const SpecInput& input);
// Errors: invalid (unknown name).
Result<std::set<std::string>> capabilities_of(const Security& security, const std::set<std::string>& all);
const std::set<std::string>& all_capabilities();

// The "process" of an exec in a container with that spec.
json::Object exec_process(const json::Object& spec, const std::vector<std::string>& argv, bool tty);

}  // namespace kinglet::runtime
