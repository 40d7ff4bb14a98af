// `kinglet check`: what this machine lacks, line by line. Each check tries the thing itself where that is possible.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/options.h"

namespace kinglet::cli {
namespace {

constexpr uint64_t kFreeBytesMin = 200ull << 20;

struct Finding {
  enum class Level { ok, warning, missing } level;
  std::string what, mend;
};
Finding ok(std::string what) { return {Finding::Level::ok, std::move(what), ""}; }
Finding warning(std::string what, std::string mend) { return {Finding::Level::warning, std::move(what), std::move(mend)}; }
Finding missing(std::string what, std::string mend) { return {Finding::Level::missing, std::move(what), std::move(mend)}; }

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string dirs = path != nullptr ? path : "";
  dirs += ":/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (size_t at = 0; at <= dirs.size();) {
    const size_t end = std::min(dirs.find(':', at), dirs.size());
    const std::string candidate = dirs.substr(at, end - at) + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return "";
}

// Runs `attempt` in a child with new namespaces, so that the machine is left as it was. True when it returned 0.
bool try_apart(int namespaces, int (*attempt)()) {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) ::_exit(::unshare(namespaces) == 0 ? attempt() : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int make_bridge() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return fd >= 0 && ::ioctl(fd, SIOCBRADDBR, "klcheck0") == 0 ? 0 : 1;
}

int mount_overlay() {
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  if (::mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) != 0) return 1;
  for (const char* dir : {"/tmp/l", "/tmp/u", "/tmp/w", "/tmp/m"}) ::mkdir(dir, 0700);
  return ::mount("overlay", "/tmp/m", "overlay", 0, "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w") == 0 ? 0 : 1;
}

int open_netfilter() { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER) >= 0 ? 0 : 1; }

Finding check_root() {
  return ::geteuid() == 0 ? ok("runs as root") : missing("does not run as root", "start it with sudo");
}

Finding check_kernel() {
  utsname name{};
  ::uname(&name);
  int major = 0, minor = 0;
  std::sscanf(name.release, "%d.%d", &major, &minor);
  if (major > 5 || (major == 5 && minor >= 6)) return ok(std::string("kernel ") + name.release);
  return missing(std::string("kernel ") + name.release + " is older than 5.6", "upgrade the operating system");
}

Finding check_cgroups() {
  if (std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers")) {
    const std::string controllers = slurp("/sys/fs/cgroup/cgroup.controllers");
    for (const char* name : {"cpu", "memory", "pids"})
      if (controllers.find(name) == std::string::npos)
        return warning(fmt::format("cgroup v2 without the {} controller: such limits are not kept", name),
                       "add cgroup_enable=memory to the kernel's command line (Raspberry Pi: /boot/firmware/cmdline.txt) and reboot");
    return ok("cgroup v2 with cpu, memory and pids");
  }
  if (!std::filesystem::exists("/sys/fs/cgroup/cpu") && !std::filesystem::exists("/sys/fs/cgroup/cpu,cpuacct"))
    return missing("no cgroups under /sys/fs/cgroup", "mount them (systemd does so by itself; else: package cgroupfs-mount)");
  if (!std::filesystem::exists("/sys/fs/cgroup/memory"))
    return warning("cgroup v1 without the memory controller: memory limits are not kept",
                   "add cgroup_enable=memory cgroup_memory=1 to the kernel's command line and reboot");
  return ok("cgroup v1 with cpu and memory");
}

Finding check_program(const char* program, const char* package) {
  const std::string path = in_path(program);
  return path.empty() ? missing(fmt::format("no {}", program), fmt::format("apt-get install {}", package)) : ok(path);
}

Finding check_overlay() {
  return try_apart(CLONE_NEWNS, mount_overlay)
             ? ok("overlay file systems")
             : missing("overlay file systems cannot be mounted", "modprobe overlay, or a kernel with CONFIG_OVERLAY_FS");
}

Finding check_bridge() {
  return try_apart(CLONE_NEWNET, make_bridge)
             ? ok("network bridges and namespaces")
             : missing("network bridges cannot be made", "modprobe bridge, or a kernel with CONFIG_BRIDGE and CONFIG_NET_NS");
}

Finding check_nftables() {
  void* library = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return missing("no libnftables.so.1", "apt-get install libnftables1");
  ::dlclose(library);
  if (!try_apart(CLONE_NEWNET, open_netfilter))
    return missing("the kernel has no nftables", "modprobe nf_tables, or a kernel with CONFIG_NF_TABLES");
  return ok("nftables");
}

Finding check_forwarding() {
  std::string value = slurp("/proc/sys/net/ipv4/ip_forward");
  if (!value.empty() && value[0] == '1') return ok("IPv4 forwarding is on");
  return ::access("/proc/sys/net/ipv4/ip_forward", W_OK) == 0
             ? ok("IPv4 forwarding can be switched on")
             : missing("IPv4 forwarding is off and cannot be switched on", "sysctl net.ipv4.ip_forward=1");
}

Finding check_disk(const std::string& data_dir) {
  std::filesystem::path at = data_dir;
  while (!at.empty() && !std::filesystem::exists(at)) at = at.parent_path();
  struct statvfs disk {};
  if (::statvfs(at.empty() ? "/" : at.c_str(), &disk) != 0)
    return missing("cannot look at " + data_dir, "choose another --data-dir");
  if (::access(at.c_str(), W_OK) != 0) return missing(data_dir + " cannot be written", "choose another --data-dir");
  const uint64_t free_bytes = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  const std::string text = fmt::format("{} MiB free for {}", free_bytes >> 20, data_dir);
  return free_bytes < kFreeBytesMin ? warning(text, "make room: images and logs need some") : ok(text);
}

}  // namespace

int check_command(const std::vector<std::string>& args) {
  CLI::App app("Says what this machine lacks for running kinglet, line by line, and how to mend it.\n"
               "Ends with 1 if something is missing without which it cannot run.", "kinglet check");
  std::string data_dir = kDefaultDataDir;
  app.add_option("-d,--data-dir", data_dir, "the data directory that will be used")->capture_default_str();
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  const Finding findings[] = {
      check_root(),  check_kernel(),   check_cgroups(), check_program("crun", "crun"), check_program("conmon", "conmon"),
      check_overlay(), check_bridge(), check_nftables(), check_forwarding(), check_disk(data_dir),
  };
  int missing_count = 0;
  for (const auto& finding : findings) {
    const char* mark = finding.level == Finding::Level::ok        ? "ok     "
                       : finding.level == Finding::Level::warning ? "warning"
                                                                  : "MISSING";
    std::printf("%s  %s\n", mark, finding.what.c_str());
    if (!finding.mend.empty()) std::printf("         -> %s\n", finding.mend.c_str());
    missing_count += finding.level == Finding::Level::missing;
  }
  if (missing_count == 0) return 0;
  std::printf("\n%d of %zu checks found something missing.\n", missing_count, std::size(findings));
  return 1;
}

}  // namespace kinglet::cli
