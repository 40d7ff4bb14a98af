// The flags of `kinglet agent`, under k3s's names; file and environment as for the server.
#pragma once
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "cli/options.h"

namespace kinglet::cli {

struct AgentOptions {
  std::string config_file = kDefaultConfigFile;
  std::string data_dir = kDefaultDataDir;
  std::vector<std::string> servers;  // https://host[:port]
  std::string token, token_file;     // needed for the first start only
  std::string node_name;             // empty: the host name, lower case
  bool with_node_id = false;
  std::string node_ip;  // empty: the one from which the server is reached
  std::vector<std::string> node_labels, node_taints;
  std::string proxy;                  // http://[user:password@]host:port
  std::vector<std::string> no_proxy;  // names and domains that are reached without it
  bool debug = false;

  std::string agent_dir() const { return data_dir + "/agent"; }
};

struct ParsedAgent {
  AgentOptions options;
  bool run = false;
  int exit_code = 0;
};
ParsedAgent parse_agent_options(Files& files, const std::vector<std::string>& args,
                                std::string (*env)(const std::string&));

// Completes what was left out (scheme's port 6443) and checks. Errors: invalid, naming the flag.
Result<void> check_agent_options(AgentOptions& options);

}  // namespace kinglet::cli
