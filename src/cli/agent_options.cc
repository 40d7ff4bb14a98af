#include "cli/agent_options.h"

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>
#include <cstdio>

#include "tunnel/control.h"

namespace kinglet::cli {
namespace {

constexpr const char* kAgentHelp =
    "Runs this machine as a node of a cluster whose server is elsewhere.\n\n"
    "  kinglet agent --server https://10.0.0.1:6443 --token K10...::node:...\n\n"
    "The token stands in server/node-token of the server's data directory, or comes from `kinglet "
    "token create` there.\n"
    "It is needed once; later starts use the node's own certificate. The agent listens on no port: "
    "everything runs on one\n"
    "connection that it opens. Every flag may stand in /etc/kinglet/config.yaml under its own "
    "name.\n";

void add_agent_flags(CLI::App& app, AgentOptions& o) {
  const auto one = CLI::MultiOptionPolicy::TakeLast;
  app.add_option("-c,--config", o.config_file, "configuration file (KINGLET_CONFIG_FILE)")
      ->multi_option_policy(one);
  app.add_option("-d,--data-dir", o.data_dir, "where everything is kept")
      ->multi_option_policy(one)
      ->capture_default_str();
  app.add_option("-s,--server", o.servers,
                 "address of a server, https://HOST[:6443]; may be given several times (K3S_URL)")
      ->delimiter(',');
  app.add_option("-t,--token", o.token, "token of the cluster (K3S_TOKEN)")
      ->multi_option_policy(one);
  app.add_option("--token-file", o.token_file, "file that holds the token")
      ->multi_option_policy(one);
  app.add_option("--node-name", o.node_name, "name of this node (default: the host name)")
      ->multi_option_policy(one);
  app.add_flag("--with-node-id", o.with_node_id, "append a lasting random id to the node's name");
  app.add_option("-i,--node-ip", o.node_ip,
                 "address of this node (default: the one from which the server is reached)")
      ->multi_option_policy(one);
  app.add_option("--node-label", o.node_labels, "label for this node, KEY=VALUE")->delimiter(',');
  app.add_option("--node-taint", o.node_taints, "taint for this node, KEY=VALUE:EFFECT")
      ->delimiter(',');
  app.add_option("--proxy", o.proxy,
                 "HTTP proxy to the servers, http://[USER:PASSWORD@]HOST:PORT (HTTPS_PROXY)")
      ->multi_option_policy(one);
  app.add_option("--no-proxy", o.no_proxy,
                 "hosts and domains that are reached without it (NO_PROXY)")
      ->delimiter(',');
  app.add_flag("--debug", o.debug, "log more");
}

struct AgentEnv {
  const char *name, *flag;
};
// A later row wins.
constexpr AgentEnv kAgentEnvironment[] = {
    {"https_proxy", "proxy"},
    {"HTTPS_PROXY", "proxy"},
    {"no_proxy", "no-proxy"},
    {"NO_PROXY", "no-proxy"},
    {"K3S_CONFIG_FILE", "config"},
    {"KINGLET_CONFIG_FILE", "config"},
    {"K3S_DATA_DIR", "data-dir"},
    {"KINGLET_DATA_DIR", "data-dir"},
    {"K3S_URL", "server"},
    {"KINGLET_URL", "server"},
    {"K3S_TOKEN", "token"},
    {"KINGLET_TOKEN", "token"},
    {"K3S_TOKEN_FILE", "token-file"},
    {"KINGLET_TOKEN_FILE", "token-file"},
    {"K3S_NODE_NAME", "node-name"},
    {"KINGLET_NODE_NAME", "node-name"},
};

std::optional<int> parse_agent_flags(AgentOptions& options, std::vector<std::string> args) {
  CLI::App app(kAgentHelp, "kinglet agent");
  add_agent_flags(app, options);
  app.get_formatter()->column_width(40);
  std::reverse(args.begin(), args.end());  // CLI11 takes its arguments from the back
  try {
    app.parse(args);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  return std::nullopt;
}

bool names_flag(const std::vector<std::string>& args, const std::string& flag) {
  const std::string key = flag.substr(0, flag.find('='));
  return std::any_of(args.begin(), args.end(), [&](const std::string& arg) {
    return arg == key || arg.starts_with(key + "=");
  });
}

// Flags from the file that nobody gave otherwise. Errors: of reading and parsing it.
Result<std::vector<std::string>> flags_of_file(Files& files, const std::string& path,
                                               const std::vector<std::string>& given) {
  const auto text = read_file(files, path);
  if (!text && text.is(Code::not_found) && path == kDefaultConfigFile)
    return std::vector<std::string>();
  if (!text) return Error(text.code(), "cannot read the configuration: {}", text.error().message());
  auto flags = flags_of_config(*text);
  if (!flags) return std::move(flags.error()).with_context(path);
  std::vector<std::string> out;
  for (const auto& flag : *flags)
    if (!names_flag(given, flag)) out.push_back(flag);
  return out;
}

// https://host without a port means 6443, as every server's default is.
std::string with_port(const std::string& url) {
  const size_t host = url.find("://") + 3;
  const size_t after = url[host] == '[' ? url.find(']', host) : host;
  if (after == std::string::npos || url.find(':', after) != std::string::npos) return url;
  return url + ":6443";
}

Error bad_flag(const char* flag, const std::string& what) {
  return Error(Code::invalid, "--{}: {}", flag, what);
}

}  // namespace

Result<void> check_agent_options(AgentOptions& o) {
  for (auto& url : o.servers) {
    while (url.ends_with('/')) url.pop_back();
    if (!tunnel::is_server_url(url))
      return bad_flag("server", "\"" + url + "\" is not like https://10.0.0.1:6443");
    url = with_port(url);
  }
  boost::system::error_code bad;
  if (!o.node_ip.empty()) boost::asio::ip::make_address(o.node_ip, bad);
  if (bad) return bad_flag("node-ip", "\"" + o.node_ip + "\" is not an IP address");
  for (const auto& label : o.node_labels)
    if (label.find('=') == std::string::npos || label.front() == '=')
      return bad_flag("node-label", "\"" + label + "\" is not KEY=VALUE");
  for (const auto& taint : o.node_taints)
    if (taint.find(':') == std::string::npos)
      return bad_flag("node-taint", "\"" + taint + "\" is not KEY=VALUE:EFFECT");
  return {};
}

ParsedAgent parse_agent_options(Files& files, const std::vector<std::string>& args,
                                std::string (*env)(const std::string&)) {
  ParsedAgent parsed;
  // A list in the environment gives way to the command line, and a later row to an earlier one's
  // place.
  std::map<std::string, std::string> from_env;
  for (const auto& row : kAgentEnvironment)
    if (const std::string value = env(row.name); !value.empty()) from_env[row.flag] = value;
  std::vector<std::string> given;
  for (const auto& [flag, value] : from_env)
    if (!names_flag(args, "--" + flag)) given.push_back("--" + flag + "=" + value);
  given.insert(given.end(), args.begin(), args.end());

  AgentOptions first;
  if (const auto code = parse_agent_flags(first, given)) {
    parsed.exit_code = *code;
    return parsed;
  }
  auto all = flags_of_file(files, first.config_file, given);
  if (!all) {
    std::fprintf(stderr, "kinglet: %s\n", all.error().message().c_str());
    parsed.exit_code = 1;
    return parsed;
  }
  all->insert(all->end(), given.begin(), given.end());
  if (const auto code = parse_agent_flags(parsed.options, *all)) {
    parsed.exit_code = *code;
    return parsed;
  }
  if (const auto checked = check_agent_options(parsed.options); !checked) {
    std::fprintf(stderr, "kinglet: %s\n", checked.error().message().c_str());
    parsed.exit_code = 1;
    return parsed;
  }
  parsed.run = true;
  return parsed;
}

}  // namespace kinglet::cli
