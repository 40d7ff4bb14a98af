// What a server is, before it runs: names, addresses, keys and tokens, from flags, disk and machine. Made once at start.
#pragma once
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "cli/options.h"
#include "cluster/join_token.h"
#include "cluster/pki.h"

namespace kinglet::cli {

struct ServerSetup {
  ServerOptions options;
  std::string node_name, node_ip, advertise_address;
  std::string service_ip;   // of the kubernetes Service: the first of the service network
  std::string cluster_dns;  // the tenth, unless a flag says otherwise
  std::string pod_cidr;     // of this node
  cluster::Pki pki;
  cluster::JoinTokens tokens;
};

// Makes directories, keys and tokens where they are missing. Errors: io, invalid.
Result<ServerSetup> set_up_server(Files& files, Clock& clock, Random& random, const ServerOptions& options);

// Writes the administrator's kubeconfigs: the one in the data directory and the one that a flag names.
Result<void> write_kubeconfigs(Files& files, const ServerSetup& setup);

// The n-th address of an IPv4 network: nth_address("10.43.0.0/16", 10) is "10.43.0.10".
std::string nth_address(const std::string& cidr, uint32_t n);

}  // namespace kinglet::cli
