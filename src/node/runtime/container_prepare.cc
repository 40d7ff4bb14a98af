#include "node/runtime/container_prepare.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "node/runtime/mounts.h"
#include "node/runtime/records.h"
#include "node/runtime/rooted_path.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
constexpr size_t kPasswdBytesMax = 4 << 20;
constexpr size_t kSeccompBytesMax = 1 << 20;
constexpr size_t kDevicesMax = 4096;

Result<void> make_dirs(const std::string& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return errno_error(failed.value(), path);
  return {};
}

Result<void> add_device(const std::string& host, const std::string& inside, const std::string& permissions,
                        std::vector<DeviceNode>& out) {
  struct stat info {};
  if (::stat(host.c_str(), &info) != 0) return errno_error(errno, fmt::format("device {}", host));
  if (S_ISDIR(info.st_mode)) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(host, failed)) {
      if (out.size() >= kDevicesMax) return Error(Code::invalid, "more than {} devices", kDevicesMax);
      std::error_code ignored;
      if (!entry.is_directory(ignored) && !entry.is_character_file(ignored) && !entry.is_block_file(ignored)) continue;
      KL_CHECK_FN(add_device(entry.path(), inside + "/" + entry.path().filename().string(), permissions, out));
    }
    return {};
  }
  if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
    return Error(Code::invalid, "{} is not a device", host);
  out.push_back({inside, S_ISBLK(info.st_mode) ? 'b' : 'c', static_cast<int64_t>(major(info.st_rdev)),
                 static_cast<int64_t>(minor(info.st_rdev)), info.st_mode & 07777, info.st_uid, info.st_gid,
                 permissions});
  return {};
}

// A privileged container sees the machine's devices, but terminals and shared memory of its own.
Result<std::vector<DeviceNode>> host_devices() {
  std::vector<DeviceNode> out;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/dev", failed)) {
    const std::string name = entry.path().filename();
    std::error_code ignored;
    if (name == "pts" || name == "shm" || name == "mqueue" || name == "console" || name == "ptmx" ||
        entry.is_symlink(ignored))
      continue;
    if (!entry.is_directory(ignored) && !entry.is_character_file(ignored) && !entry.is_block_file(ignored)) continue;
    // One that vanishes meanwhile is no reason to refuse the container.
    std::vector<DeviceNode> some;
    if (add_device(entry.path(), entry.path(), "rwm", some)) out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::string read_or_empty(const RootedDir& root, const char* path) {
  auto text = root.read_file(path, kPasswdBytesMax);
  return text ? std::move(*text) : std::string();
}

// What in the spec depends on the image's files.
Result<void> resolve_in_rootfs(PrepareInput& input) {
  KL_TRY_FN(root, RootedDir::open(input.paths.rootfs(input.spec.id)));
  const auto& container = input.spec.container;
  KL_TRY_FN(user, resolve_user(container.security, input.image.config.user, read_or_empty(root, "etc/passwd"),
                               read_or_empty(root, "etc/group")));
  input.spec.user = std::move(user);
  const std::string& directory =
      container.working_dir.empty() ? input.image.config.working_dir : container.working_dir;
  // Also under a read-only root: that begins only inside the container.
  if (directory.empty()) return {};
  const auto made = root.make_dirs(directory, 0755, input.spec.user.uid, input.spec.user.gid);
  if (!made) return Error(made.error()).with_context("working directory " + directory);
  return {};
}
}  // namespace

Result<void> prepare_container(PrepareInput input) {
  const StatePaths& paths = input.paths;
  const std::string& id = input.spec.id;
  for (const auto& dir : {paths.upper(id), paths.work(id), paths.rootfs(id)}) KL_CHECK_FN(make_dirs(dir));
  // The upper directory becomes "/" of the container; 0700 would shut out everybody but root.
  for (const auto& dir : {paths.upper(id), paths.work(id)})
    if (::chmod(dir.c_str(), 0755) != 0) return errno_error(errno, dir);
  KL_CHECK_FN(mount_overlay({paths.images(), input.image.layers, paths.upper(id), paths.work(id), paths.rootfs(id)}));
  input.spec.rootfs = paths.rootfs(id);
  input.spec.image = input.image.config;
  KL_CHECK_FN(resolve_in_rootfs(input));
  const Security& security = input.spec.container.security;
  if (security.privileged) {
    KL_TRY_FN(devices, host_devices());
    input.spec.devices = std::move(devices);
  }
  for (const auto& device : input.spec.container.devices)
    KL_CHECK_FN(add_device(device.host_path, device.container_path, device.permissions, input.spec.devices));
  if (security.seccomp.type == Seccomp::Type::localhost) {
    KL_TRY_FN(text, read_text_file(security.seccomp.path, kSeccompBytesMax), "seccomp profile");
    auto profile = json::parse(text);
    if (!profile) return Error(Code::invalid, "seccomp profile {}: {}", security.seccomp.path, profile.error().message());
    input.spec.localhost_seccomp = std::move(*profile);
  }
  KL_TRY_FN(spec, build_spec(input.spec));
  KL_CHECK_FN(write_record(paths.bundle(id) + "/process.json", json::print(spec.at("process"))));
  KL_CHECK_FN(write_record(paths.bundle(id) + "/config.json", json::print(spec)));
  const std::string& log = input.spec.container.log_path;
  if (!log.empty()) KL_CHECK_FN(make_dirs(fs::path(log).parent_path()));
  return {};
}

Result<void> discard_container(const StatePaths& paths, const std::string& id) {
  KL_CHECK_FN(unmount_all(paths.bundle(id)));
  std::error_code failed;
  fs::remove_all(paths.bundle(id), failed);
  if (failed) return errno_error(failed.value(), paths.bundle(id));
  // Gone by name at once; what takes long is only the emptying of the trash.
  KL_CHECK_FN(make_dirs(paths.trash()));
  for (const auto& dir : {paths.upper(id), paths.work(id)}) {
    const auto doomed = fmt::format("{}/{}-{}", paths.trash(), id, fs::path(dir).filename().string());
    if (::rename(dir.c_str(), doomed.c_str()) != 0 && errno != ENOENT) return errno_error(errno, dir);
  }
  fs::remove(paths.exit_file(id), failed);
  return {};
}

Result<void> prepare_sandbox(const SandboxFiles& input) {
  const std::string dir = input.paths.sandbox_run(input.id);
  KL_CHECK_FN(make_dirs(dir));
  const SandboxConfig& config = input.config;
  const auto write = [&](const char* name, const std::string& text) -> Result<void> {
    if (text.empty()) return {};
    KL_CHECK_FN(write_record(dir + "/" + name, text));
    if (::chmod((dir + "/" + name).c_str(), 0644) != 0) return errno_error(errno, dir);
    return {};
  };
  KL_CHECK_FN(write("hosts", config.hosts));
  KL_CHECK_FN(write("resolv.conf", config.resolv_conf));
  KL_CHECK_FN(write("hostname", config.hostname.empty() ? "" : config.hostname + "\n"));
  PinnedNamespaces pins;
  if (!config.host_ipc) {
    pins.ipc_path = dir + "/ipc";
    KL_CHECK_FN(make_dirs(dir + "/shm"));
    KL_CHECK_FN(mount_tmpfs(dir + "/shm", config.shm_bytes, 01777));
  }
  if (!config.host_network) {
    pins.uts_path = dir + "/uts";
    pins.hostname = config.hostname;
  }
  return pin_namespaces(pins);
}

Result<void> discard_sandbox(const StatePaths& paths, const std::string& id) {
  KL_CHECK_FN(unmount_all(paths.sandbox_run(id)));
  std::error_code failed;
  fs::remove_all(paths.sandbox_run(id), failed);
  if (failed) return errno_error(failed.value(), paths.sandbox_run(id));
  return {};
}

std::set<std::string> own_capabilities() {
  // By number. Source: linux/capability.h.
  static const char* const kNames[] = {
      "CHOWN",        "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",       "FSETID",          "KILL",
      "SETGID",       "SETUID",       "SETPCAP",         "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST",
      "NET_ADMIN",    "NET_RAW",      "IPC_LOCK",        "IPC_OWNER",    "SYS_MODULE",      "SYS_RAWIO",
      "SYS_CHROOT",   "SYS_PTRACE",   "SYS_PACCT",       "SYS_ADMIN",    "SYS_BOOT",        "SYS_NICE",
      "SYS_RESOURCE", "SYS_TIME",     "SYS_TTY_CONFIG",  "MKNOD",        "LEASE",           "AUDIT_WRITE",
      "AUDIT_CONTROL", "SETFCAP",     "MAC_OVERRIDE",    "MAC_ADMIN",    "SYSLOG",          "WAKE_ALARM",
      "BLOCK_SUSPEND", "AUDIT_READ",  "PERFMON",         "BPF",          "CHECKPOINT_RESTORE"};
  std::set<std::string> out;
  const auto text = read_text_file("/proc/self/status");
  const size_t at = text ? text->find("CapEff:\t") : std::string::npos;
  if (at == std::string::npos) return out;
  uint64_t bits = 0;
  std::from_chars(text->data() + at + 8, text->data() + text->size(), bits, 16);
  for (size_t i = 0; i < std::size(kNames); ++i)
    if ((bits >> i & 1) != 0) out.insert(std::string("CAP_") + kNames[i]);
  return out;
}

int lowest_oom_score_adj() {
  if (own_capabilities().contains("CAP_SYS_RESOURCE")) return -1000;
  const auto text = read_text_file("/proc/self/oom_score_adj");
  int own = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), own);
  return own;
}

}  // namespace kinglet::runtime
