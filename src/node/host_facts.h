// What this machine is: read once at start (and addresses again when they may have changed).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace kinglet::node {

struct HostFacts {
  std::string host_name;
  std::string architecture;  // as in image indexes: amd64, arm64, arm
  std::string os_image;      // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;        // "6.1.0-18-arm64"
  std::string machine_id, system_uuid, boot_id;
  int cpus = 1;
  int64_t memory_bytes = 0;
  uint64_t disk_bytes = 0;   // of the file system that holds the data directory
};
HostFacts read_host_facts(const std::string& data_dir);

// The address of the default route's link, else of the first link that is up, else 127.0.0.1: a machine without a
// cable still runs its pods.
std::string find_node_ip();

// A node name from a host name: lower case, what a DNS-1123 subdomain allows.
std::string node_name_of(const std::string& host_name);

}  // namespace kinglet::node
