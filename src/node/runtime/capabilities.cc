#include <set>
#include <string>

#include "node/runtime/oci_spec.h"

namespace kinglet::runtime {
namespace {
// Source: containerd's and Docker's default set.
constexpr const char* kDefault[] = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER",  "CAP_FSETID",
    "CAP_KILL",        "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP",
    "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",      "CAP_SYS_CHROOT"};

std::string full_name(const std::string& name) {
  std::string out = name.starts_with("CAP_") || name.starts_with("cap_") ? name.substr(4) : name;
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return "CAP_" + out;
}
}  // namespace

const std::set<std::string>& all_capabilities() {
  static const std::set<std::string> all = {
      "CAP_AUDIT_CONTROL", "CAP_AUDIT_READ",   "CAP_AUDIT_WRITE", "CAP_BLOCK_SUSPEND",
      "CAP_BPF",           "CAP_CHECKPOINT_RESTORE", "CAP_CHOWN", "CAP_DAC_OVERRIDE",
      "CAP_DAC_READ_SEARCH", "CAP_FOWNER",     "CAP_FSETID",      "CAP_IPC_LOCK",
      "CAP_IPC_OWNER",     "CAP_KILL",         "CAP_LEASE",       "CAP_LINUX_IMMUTABLE",
      "CAP_MAC_ADMIN",     "CAP_MAC_OVERRIDE", "CAP_MKNOD",       "CAP_NET_ADMIN",
      "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_PERFMON",
      "CAP_SETFCAP",       "CAP_SETGID",       "CAP_SETPCAP",     "CAP_SETUID",
      "CAP_SYSLOG",        "CAP_SYS_ADMIN",    "CAP_SYS_BOOT",    "CAP_SYS_CHROOT",
      "CAP_SYS_MODULE",    "CAP_SYS_NICE",     "CAP_SYS_PACCT",   "CAP_SYS_PTRACE",
      "CAP_SYS_RAWIO",     "CAP_SYS_RESOURCE", "CAP_SYS_TIME",    "CAP_SYS_TTY_CONFIG",
      "CAP_WAKE_ALARM"};
  return all;
}

Result<std::set<std::string>> capabilities_of(const Security& security, const std::set<std::string>& all) {
  std::set<std::string> out;
  const auto known = [](const std::string& name) { return all_capabilities().contains(name); };
  const auto is_all = [](const std::string& name) { return full_name(name) == "CAP_ALL"; };
  const auto& add = security.add_capabilities;
  const auto& drop = security.drop_capabilities;
  if (security.privileged) {
    out = all_capabilities();
  } else {
    for (const char* name : kDefault) out.insert(name);
    // "ALL" first, then the names: {add: [ALL], drop: [X]} and {drop: [ALL], add: [X]} both mean what they say.
    if (std::any_of(add.begin(), add.end(), is_all)) out = all_capabilities();
    if (std::any_of(drop.begin(), drop.end(), is_all)) out.clear();
    for (const auto& name : add) {
      if (is_all(name)) continue;
      if (!known(full_name(name))) return Error(Code::invalid, "unknown capability \"{}\" to add", name);
      out.insert(full_name(name));
    }
    for (const auto& name : drop) {
      if (is_all(name)) continue;
      if (!known(full_name(name))) return Error(Code::invalid, "unknown capability \"{}\" to drop", name);
      out.erase(full_name(name));
    }
  }
  // The kernel gives nobody more than this process may have.
  std::erase_if(out, [&](const std::string& name) { return !all.contains(name); });
  return out;
}

}  // namespace kinglet::runtime
