// What a sandbox and a container shall be: values that the pod worker fills in and the runtime turns into an OCI spec.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::runtime {

// Limits of a cgroup, in the kernel's v1 units; converted for v2. Unset: not touched.
struct Resources {
  std::optional<uint64_t> cpu_shares;          // 2..262144
  std::optional<int64_t> cpu_quota_us;         // per period; -1: none
  uint64_t cpu_period_us = 100000;
  std::optional<int64_t> memory_limit_bytes;   // -1: none
  std::optional<int64_t> pids_limit;           // -1: none
  bool operator==(const Resources&) const = default;
};

struct SandboxConfig {
  std::string pod_uid, pod_namespace, pod_name;  // kept, for adoption and for log lines
  int attempt = 0;
  std::string hostname;  // of the new UTS namespace; ignored with host_network
  // Files every container finds in /etc; empty text: not mounted. (/etc/hostname comes from `hostname`.)
  std::string hosts, resolv_conf;
  // Absolute below the cgroup mounts: "/kubepods/burstable/pod<uid>"; made with `resources`, removed with the sandbox.
  std::string cgroup_parent;
  Resources resources;
  std::string netns_path;  // a pinned network namespace; required unless host_network
  bool host_network = false, host_pid = false, host_ipc = false;
  bool share_processes = false;  // one PID namespace for all containers
  std::map<std::string, std::string> sysctls;  // set in the sandbox's namespaces
  uint64_t shm_bytes = 64 << 20;
  std::map<std::string, std::string> labels;   // the caller's own; kept
};

struct Mount {
  enum class Propagation : uint8_t { none, host_to_container, bidirectional };
  std::string host_path, container_path;
  bool readonly = false;
  Propagation propagation = Propagation::none;
};

struct Device {
  std::string host_path, container_path;
  std::string permissions = "rwm";
};

struct Seccomp {
  enum class Type : uint8_t { runtime_default, unconfined, localhost };
  Type type = Type::runtime_default;
  std::string path;  // localhost: a profile as JSON
};

// Source: Kubernetes SecurityContext, pod's and container's already merged.
struct Security {
  bool privileged = false;
  bool readonly_rootfs = false;
  bool no_new_privileges = false;  // allowPrivilegeEscalation: false
  bool unmasked_proc = false;      // procMount: Unmasked
  std::optional<int64_t> run_as_user, run_as_group;
  bool run_as_non_root = false;
  std::vector<int64_t> supplemental_groups;  // fsGroup included
  std::vector<std::string> add_capabilities, drop_capabilities;  // "NET_ADMIN", "CAP_NET_ADMIN", "ALL"
  Seccomp seccomp;
};

struct ContainerConfig {
  std::string name;  // of the container in its pod
  int attempt = 0;   // restarts so far
  std::string image; // a reference or id that Images::find knows
  // Kubernetes' meaning: `command` replaces the image's entrypoint (and its cmd), `args` its cmd.
  std::vector<std::string> command, args;
  std::vector<std::pair<std::string, std::string>> env;  // over the image's
  std::string working_dir;                               // empty: the image's
  std::vector<Mount> mounts;
  std::vector<Device> devices;
  Security security;
  Resources resources;
  std::string processes_of;  // the id of a running container whose PID namespace it joins; empty: one of its own
  int oom_score_adj = 0;
  bool tty = false;
  bool stdin_open = false, stdin_once = false;
  std::string log_path;  // CRI format; its directory is made
  // A host file that is mounted at `termination_path` ("/dev/termination-log"); empty: none. It must exist.
  std::string termination_file, termination_path;
  std::map<std::string, std::string> labels;  // the caller's own; kept
};

}  // namespace kinglet::runtime
