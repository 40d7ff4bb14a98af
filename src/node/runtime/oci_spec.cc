#include "node/runtime/oci_spec.h"

#include <map>

#include "node/runtime/seccomp_default.h"

namespace kinglet::runtime {
namespace {
using json::Array;
using json::Object;

constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

constexpr const char* kMaskedPaths[] = {
    "/proc/acpi",        "/proc/asound",      "/proc/interrupts", "/proc/kcore",
    "/proc/keys",        "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list",  "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                          "/proc/sysrq-trigger"};

template <class Range>
Array array_of(const Range& range) {
  Array out;
  for (const auto& item : range) out.emplace_back(item);
  return out;
}

Object fs_mount(std::string_view destination, std::string_view type, std::string_view source,
             std::initializer_list<std::string_view> options) {
  return {{"destination", destination},
          {"type", type},
          {"source", source},
          {"options", array_of(options)}};
}

Object bind_mount(const std::string& destination, const std::string& source, bool readonly,
            std::string_view propagation = "rprivate") {
  return fs_mount(destination, "bind", source, {"rbind", propagation, readonly ? "ro" : "rw"});
}

std::string_view propagation_of(Mount::Propagation propagation) {
  switch (propagation) {
    case Mount::Propagation::none: return "rprivate";
    case Mount::Propagation::host_to_container: return "rslave";
    case Mount::Propagation::bidirectional: return "rshared";
  }
  return "rprivate";
}

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

size_t depth_of(const std::string& path) {
  return static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

Result<Array> mounts_of(const SpecInput& in) {
  const bool privileged = in.container.security.privileged;
  std::vector<std::pair<std::string, Object>> list;  // destination, mount
  const auto add = [&](Object item) {
    list.emplace_back(std::string(json::text_at(item, {"destination"})), std::move(item));
  };
  add(fs_mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  add(fs_mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  add(fs_mount("/dev/pts", "devpts", "devpts",
            {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  add(fs_mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  const std::string_view access = privileged ? "rw" : "ro";
  add(fs_mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", access}));
  add(fs_mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", access}));
  const bool readonly = in.container.security.readonly_rootfs;
  if (!in.shm_dir.empty()) add(bind_mount("/dev/shm", in.shm_dir, false));
  if (!in.hosts_file.empty()) add(bind_mount("/etc/hosts", in.hosts_file, readonly));
  if (!in.resolv_conf_file.empty()) add(bind_mount("/etc/resolv.conf", in.resolv_conf_file, readonly));
  if (!in.hostname_file.empty()) add(bind_mount("/etc/hostname", in.hostname_file, readonly));
  if (!in.container.termination_file.empty())
    add(bind_mount(in.container.termination_path, in.container.termination_file, false));
  for (const auto& wanted : in.container.mounts) {
    if (!wanted.container_path.starts_with('/'))
      return Error(Code::invalid, "mount path \"{}\" is not absolute", wanted.container_path);
    const auto place = without_trailing_slash(wanted.container_path);
    if (place == "/") return Error(Code::invalid, "a volume cannot be mounted at \"/\"");
    // What the pod says goes before our own (its own /etc/hosts, a larger /dev/shm).
    std::erase_if(list, [&](const auto& item) { return item.first == place; });
    add(bind_mount(place, wanted.host_path, wanted.readonly, propagation_of(wanted.propagation)));
  }
  // A mount below another one must come after it.
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return depth_of(a.first) < depth_of(b.first);
  });
  Array out;
  for (auto& [destination, item] : list) out.push_back(std::move(item));
  return out;
}

Array namespaces_of(const SpecInput& in) {
  Array out;
  const auto add = [&](std::string_view type, const std::string& path) {
    Object item{{"type", type}};
    if (!path.empty()) item["path"] = path;
    out.push_back(std::move(item));
  };
  if (!in.sandbox.host_pid) add("pid", in.pidns_path);
  if (!in.sandbox.host_network) add("network", in.sandbox.netns_path);
  if (!in.sandbox.host_ipc) add("ipc", in.ipcns_path);
  if (!in.utsns_path.empty()) add("uts", in.utsns_path);
  add("mount", "");
  if (in.cgroup_v2) add("cgroup", "");
  return out;
}

Object device_rule(bool allow, const char* type, int64_t major, int64_t minor, std::string_view access) {
  Object out{{"allow", allow}, {"access", access}};
  if (type != nullptr) out["type"] = type;
  if (major >= 0) out["major"] = major;
  if (minor >= 0) out["minor"] = minor;
  return out;
}

Array device_rules(const SpecInput& in) {
  if (in.container.security.privileged) return {device_rule(true, nullptr, -1, -1, "rwm")};
  Array out;
  out.push_back(device_rule(false, nullptr, -1, -1, "rwm"));
  out.push_back(device_rule(true, "c", -1, -1, "m"));  // making a node is not using the device
  out.push_back(device_rule(true, "b", -1, -1, "m"));
  // null, zero, full, random, urandom; tty, console, ptmx; pseudo-terminals.
  constexpr std::pair<int, int> kUsual[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}};
  for (const auto& [major, minor] : kUsual) out.push_back(device_rule(true, "c", major, minor, "rwm"));
  out.push_back(device_rule(true, "c", 136, -1, "rwm"));
  for (const auto& device : in.devices) {
    if (device.type == 'p') continue;
    const char type[] = {device.type, '\0'};
    out.push_back(device_rule(true, type, device.major, device.minor, device.permissions));
  }
  return out;
}

Array device_nodes(const SpecInput& in) {
  Array out;
  for (const auto& device : in.devices)
    out.push_back(Object{{"path", device.path},
                         {"type", std::string(1, device.type)},
                         {"major", device.major},
                         {"minor", device.minor},
                         {"fileMode", device.mode},
                         {"uid", device.uid},
                         {"gid", device.gid}});
  return out;
}

Object resources_of(const SpecInput& in) {
  const Resources& wanted = in.container.resources;
  Object out;
  out["devices"] = device_rules(in);
  if (in.has_cpu_cgroup) {
    Object cpu;
    if (wanted.cpu_shares) cpu["shares"] = std::max<uint64_t>(2, *wanted.cpu_shares);
    if (wanted.cpu_quota_us && *wanted.cpu_quota_us > 0) {
      cpu["quota"] = *wanted.cpu_quota_us;
      cpu["period"] = wanted.cpu_period_us;
    }
    if (!cpu.empty()) out["cpu"] = std::move(cpu);
  }
  if (in.has_memory_cgroup && wanted.memory_limit_bytes && *wanted.memory_limit_bytes > 0)
    out["memory"] = Object{{"limit", *wanted.memory_limit_bytes}};
  if (in.has_pids_cgroup && wanted.pids_limit && *wanted.pids_limit > 0)
    out["pids"] = Object{{"limit", *wanted.pids_limit}};
  return out;
}

Object user_of(const ProcessUser& user) {
  Object out{{"uid", user.uid}, {"gid", user.gid}};
  Array groups;
  for (const uint32_t group : user.groups) groups.push_back(group);
  if (!groups.empty()) out["additionalGids"] = std::move(groups);
  return out;
}

Result<Object> process_of(const SpecInput& in) {
  KL_TRY_FN(args, command_of(in.container, in.image));
  std::string directory = in.container.working_dir.empty() ? in.image.working_dir : in.container.working_dir;
  if (directory.empty()) directory = "/";
  if (!directory.starts_with('/')) return Error(Code::invalid, "working directory \"{}\" is not absolute", directory);
  KL_TRY_FN(capabilities, capabilities_of(in.container.security,
                                          in.capabilities_max.empty() ? all_capabilities() : in.capabilities_max));
  Object out;
  out["terminal"] = in.container.tty;
  if (in.container.tty) out["consoleSize"] = Object{{"height", 24}, {"width", 80}};
  out["user"] = user_of(in.user);
  out["args"] = array_of(args);
  out["env"] = array_of(environment_of(in));
  out["cwd"] = directory;
  // Not inheritable and not ambient: a program of another user gets none, as everywhere since 2022.
  Object sets;
  for (const char* set : {"bounding", "effective", "permitted"}) sets[set] = array_of(capabilities);
  out["capabilities"] = std::move(sets);
  out["noNewPrivileges"] = in.container.security.no_new_privileges;
  out["oomScoreAdj"] = std::max(in.container.oom_score_adj, in.oom_score_adj_min);
  return out;
}

std::string_view rootfs_propagation(const ContainerConfig& container) {
  std::string_view out = "rprivate";
  for (const auto& mount : container.mounts) {
    if (mount.propagation == Mount::Propagation::bidirectional) return "rshared";
    if (mount.propagation == Mount::Propagation::host_to_container) out = "rslave";
  }
  return out;
}

void add_seccomp(const SpecInput& in, const Object& process, Object& linux_part) {
  const Security& security = in.container.security;
  if (security.privileged || security.seccomp.type == Seccomp::Type::unconfined) return;
  if (security.seccomp.type == Seccomp::Type::localhost) {
    linux_part["seccomp"] = in.localhost_seccomp;
    return;
  }
  std::set<std::string> capabilities;
  for (const auto& name : process.at("capabilities").at("bounding").as_array())
    capabilities.emplace(name.get_string());
  linux_part["seccomp"] = default_seccomp(capabilities);
}
}  // namespace

Result<std::vector<std::string>> command_of(const ContainerConfig& container, const ImageConfig& image) {
  std::vector<std::string> out = container.command.empty() ? image.entrypoint : container.command;
  const auto& rest = !container.args.empty() || !container.command.empty() ? container.args : image.cmd;
  out.insert(out.end(), rest.begin(), rest.end());
  if (out.empty()) return Error(Code::invalid, "no command specified: neither the image nor the pod names one");
  return out;
}

std::vector<std::string> environment_of(const SpecInput& in) {
  std::vector<std::string> out;
  std::map<std::string, size_t> place;
  const auto set = [&](const std::string& name, const std::string& text) {
    const auto [found, is_new] = place.try_emplace(name, out.size());
    if (is_new)
      out.push_back(name + "=" + text);
    else
      out[found->second] = name + "=" + text;
  };
  set("PATH", kDefaultPath);
  if (in.container.tty) set("TERM", "xterm");
  if (!in.sandbox.hostname.empty()) set("HOSTNAME", in.sandbox.hostname);
  for (const auto& pair : in.image.env) {
    const size_t equals = pair.find('=');
    if (equals != 0 && equals != std::string::npos) set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  for (const auto& [name, text] : in.container.env) set(name, text);
  if (!place.contains("HOME")) set("HOME", in.user.home.empty() ? "/" : in.user.home);
  return out;
}

Result<Object> build_spec(const SpecInput& in) {
  KL_TRY_FN(process, process_of(in));
  KL_TRY_FN(mounts, mounts_of(in));
  const Security& security = in.container.security;
  Object linux_part;
  add_seccomp(in, process, linux_part);
  linux_part["namespaces"] = namespaces_of(in);
  linux_part["resources"] = resources_of(in);
  linux_part["cgroupsPath"] = in.cgroup_path;
  linux_part["rootfsPropagation"] = rootfs_propagation(in.container);
  if (!in.devices.empty()) linux_part["devices"] = device_nodes(in);
  if (!security.privileged && !security.unmasked_proc) {
    linux_part["maskedPaths"] = array_of(kMaskedPaths);
    linux_part["readonlyPaths"] = array_of(kReadonlyPaths);
  }
  if (!in.sandbox.sysctls.empty()) {
    Object sysctls;
    for (const auto& [name, text] : in.sandbox.sysctls) sysctls[name] = text;
    linux_part["sysctl"] = std::move(sysctls);
  }
  Object out;
  out["ociVersion"] = "1.0.2";
  out["process"] = std::move(process);
  out["root"] = Object{{"path", in.rootfs}, {"readonly", security.readonly_rootfs}};
  out["mounts"] = std::move(mounts);
  out["linux"] = std::move(linux_part);
  return out;
}

Object exec_process(const Object& spec, const std::vector<std::string>& argv, bool tty) {
  Object out = spec.at("process").as_object();
  out["args"] = array_of(argv);
  out["terminal"] = tty;
  out.erase("consoleSize");
  if (tty) {
    out["consoleSize"] = Object{{"height", 24}, {"width", 80}};
    Array& env = out["env"].as_array();
    const auto has_term = std::any_of(env.begin(), env.end(), [](const json::Value& item) {
      return item.is_string() && std::string_view(item.get_string()).starts_with("TERM=");
    });
    if (!has_term) env.emplace_back("TERM=xterm");
  }
  return out;
}

}  // namespace kinglet::runtime
