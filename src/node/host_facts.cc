#include "node/host_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

namespace kinglet::node {
namespace {

constexpr size_t kProcFileBytesMax = 64 << 10;

// /proc and /sys files have no size: read until they end.
std::string slurp(const char* path) {
  std::string text;
  if (FILE* file = std::fopen(path, "re")) {
    char buffer[4096];
    for (size_t n; text.size() < kProcFileBytesMax && (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
      text.append(buffer, n);
    std::fclose(file);
  }
  return text;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string after(const std::string& text, const std::string& key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? "" : first_line(text.substr(at + key.size()));
}

std::string architecture_of(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.rfind("arm", 0) == 0) return "arm";
  return machine;
}

// Asks the kernel which address it would leave with; nothing is sent.
std::string address_of_default_route() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "";
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(9);
  inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);  // TEST-NET-1: routed by the default route if there is one
  sockaddr_in near{};
  socklen_t size = sizeof near;
  char text[INET_ADDRSTRLEN] = "";
  if (::connect(fd, reinterpret_cast<sockaddr*>(&far), sizeof far) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&near), &size) == 0)
    inet_ntop(AF_INET, &near.sin_addr, text, sizeof text);
  ::close(fd);
  return text;
}

std::string address_of_first_link() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return "";
  std::string found;
  for (const ifaddrs* it = list; it != nullptr && found.empty(); it = it->ifa_next) {
    if (it->ifa_addr == nullptr || it->ifa_addr->sa_family != AF_INET) continue;
    const bool up = (it->ifa_flags & IFF_UP) != 0, loopback = (it->ifa_flags & IFF_LOOPBACK) != 0;
    const bool ours = std::string(it->ifa_name).rfind("kl", 0) == 0;  // the pods' bridge
    if (!up || loopback || ours) continue;
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(it->ifa_addr)->sin_addr, text, sizeof text);
    found = text;
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

HostFacts read_host_facts(const std::string& data_dir) {
  HostFacts facts;
  utsname name{};
  ::uname(&name);
  facts.host_name = name.nodename;
  facts.kernel = name.release;
  facts.architecture = architecture_of(name.machine);
  std::string pretty = after(slurp("/etc/os-release"), "PRETTY_NAME=");
  if (pretty.size() >= 2 && pretty.front() == '"') pretty = pretty.substr(1, pretty.size() - 2);
  facts.os_image = pretty.empty() ? "Linux" : pretty;
  facts.machine_id = first_line(slurp("/etc/machine-id"));
  facts.boot_id = first_line(slurp("/proc/sys/kernel/random/boot_id"));
  facts.system_uuid = first_line(slurp("/sys/class/dmi/id/product_uuid"));
  if (facts.system_uuid.empty()) facts.system_uuid = facts.machine_id;
  facts.cpus = static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  long long kib = 0;
  if (std::sscanf(after(slurp("/proc/meminfo"), "MemTotal:").c_str(), "%lld", &kib) == 1)
    facts.memory_bytes = kib * 1024;
  struct statvfs disk {};
  if (::statvfs(data_dir.c_str(), &disk) == 0)
    facts.disk_bytes = static_cast<uint64_t>(disk.f_blocks) * disk.f_frsize;
  return facts;
}

std::string find_node_ip() {
  std::string ip = address_of_default_route();
  if (ip.empty() || ip.rfind("127.", 0) == 0) ip = address_of_first_link();
  return ip.empty() ? "127.0.0.1" : ip;
}

std::string node_name_of(const std::string& host_name) {
  std::string name;
  for (const char c : host_name) {
    const unsigned char u = static_cast<unsigned char>(c);
    if (std::isalnum(u))
      name += static_cast<char>(std::tolower(u));
    else if ((c == '-' || c == '.' || c == '_') && !name.empty())
      name += c == '_' ? '-' : c;
  }
  while (!name.empty() && !std::isalnum(static_cast<unsigned char>(name.back()))) name.pop_back();
  return name.empty() ? "node" : name;
}

}  // namespace kinglet::node
