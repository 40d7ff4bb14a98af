// The flags of `kinglet server`, under k3s's names. Each may also stand in the configuration file (key = flag name) or in
// the environment (KINGLET_X; K3S_X is honoured where k3s has it). Order of precedence: flag, environment, file.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace kinglet::cli {

inline constexpr const char* kDefaultDataDir = "/var/lib/kinglet";
inline constexpr const char* kDefaultConfigFile = "/etc/kinglet/config.yaml";
inline constexpr const char* kDefaultKubeconfig = "/etc/kinglet/kinglet.yaml";

struct ServerOptions {
  std::string config_file = kDefaultConfigFile;
  std::string data_dir = kDefaultDataDir;
  std::string bind_address;  // empty: all addresses, IPv6 and IPv4
  uint16_t https_listen_port = 6443;
  std::string advertise_address;  // empty: node_ip
  std::vector<std::string> tls_san;
  std::string token;       // empty: made on first start
  std::string token_file;  // read when token is empty
  std::string write_kubeconfig = kDefaultKubeconfig;
  std::string write_kubeconfig_mode = "0600";
  std::string node_name;  // empty: the host name, lower case
  std::string node_ip;    // empty: the address of the default route, else of the first link, else 127.0.0.1
  std::vector<std::string> node_labels;  // k=v
  std::vector<std::string> node_taints;  // k=v:Effect
  std::string cluster_cidr = "10.42.0.0/16";
  std::string service_cidr = "10.43.0.0/16";
  std::string flannel_backend = "vxlan";  // vxlan, host-gw, none
  std::string service_node_port_range = "30000-32767";
  std::string cluster_dns;  // empty: the tenth address of service_cidr
  std::string cluster_domain = "cluster.local";
  std::vector<std::string> disable;  // packaged components
  bool disable_agent = false;
  bool debug = false;

  std::string server_dir() const { return data_dir + "/server"; }
  std::string agent_dir() const { return data_dir + "/agent"; }
};

// Components that --disable knows. Names of k3s's components that kinglet does not have yet are accepted too: a k3s
// user's flags keep working.
inline constexpr const char* kDisableable[] = {"coredns",       "servicelb",      "traefik",
                                               "local-storage", "metrics-server", "runtimes"};

// What parsing came to: go on with the options, or end (help was printed, or an error).
struct Parsed {
  ServerOptions options;
  bool run = false;
  int exit_code = 0;
};

// `args`: without the program's and the command's name. Prints help to stdout and mistakes to stderr.
// `env` reads the environment ("" when unset).
Parsed parse_server_options(Files& files, const std::vector<std::string>& args, std::string (*env)(const std::string&));

// Turns a configuration file's text into flags: "node-label: [a=b]" -> --node-label=a=b. Errors: invalid, with the key.
Result<std::vector<std::string>> flags_of_config(const std::string& yaml);

// Checks that need no machine: names, CIDRs, ranges. Errors: invalid, naming the flag.
Result<void> check_options(const ServerOptions& options);

}  // namespace kinglet::cli
