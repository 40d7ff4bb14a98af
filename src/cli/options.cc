#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <cstdio>

#include "json/json.h"

namespace kinglet::cli {
namespace {

constexpr const char* kServerHelp =
    "Runs the control plane and this machine's node in one process.\n\n"
    "  kinglet server                          a one-node cluster under /var/lib/kinglet\n"
    "  kinglet server --data-dir ./c1 --https-listen-port 7443 --write-kubeconfig ./c1.yaml\n"
    "                                          a second one, for development\n\n"
    "Every flag may stand in /etc/kinglet/config.yaml under its own name. SIGTERM stops kinglet and leaves the\n"
    "containers running; `kinglet killall` ends those.\n";

// Writes each flag, its help and its environment names once; the same table serves --help, file and environment.
void add_flags(CLI::App& app, ServerOptions& o) {
  const auto one = CLI::MultiOptionPolicy::TakeLast;
  app.add_option("-c,--config", o.config_file, "configuration file (KINGLET_CONFIG_FILE)")->multi_option_policy(one);
  app.add_option("-d,--data-dir", o.data_dir, "where everything is kept")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--bind-address", o.bind_address, "address to listen on (default: all)")->multi_option_policy(one);
  app.add_option("--https-listen-port", o.https_listen_port, "port of the Kubernetes API")
      ->multi_option_policy(one)->capture_default_str()->check(CLI::Range(1, 65535));
  app.add_option("--advertise-address", o.advertise_address,
                 "address of the API that is told to the cluster (default: --node-ip)")->multi_option_policy(one);
  app.add_option("--tls-san", o.tls_san, "further host names or addresses for the serving certificate")
      ->delimiter(',');
  app.add_option("-t,--token", o.token, "secret with which others join (default: made on first start)")
      ->multi_option_policy(one);
  app.add_option("--token-file", o.token_file, "file that holds the token")->multi_option_policy(one);
  app.add_option("-o,--write-kubeconfig", o.write_kubeconfig, "where the administrator's kubeconfig is written")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--write-kubeconfig-mode", o.write_kubeconfig_mode, "its permissions, octal")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--node-name", o.node_name, "name of this node (default: the host name)")->multi_option_policy(one);
  app.add_option("-i,--node-ip", o.node_ip, "address of this node (default: that of the default route)")
      ->multi_option_policy(one);
  app.add_option("--node-label", o.node_labels, "label for this node, KEY=VALUE")->delimiter(',');
  app.add_option("--node-taint", o.node_taints, "taint for this node, KEY=VALUE:EFFECT")->delimiter(',');
  app.add_option("--cluster-cidr", o.cluster_cidr, "addresses of pods")->multi_option_policy(one)->capture_default_str();
  app.add_option("--service-cidr", o.service_cidr, "addresses of services")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--flannel-backend", o.flannel_backend, "how pods reach other nodes' pods: vxlan, host-gw or none")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--service-node-port-range", o.service_node_port_range, "ports of NodePort services")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--cluster-dns", o.cluster_dns, "address of the cluster's DNS (default: the tenth of --service-cidr)")
      ->multi_option_policy(one);
  app.add_option("--cluster-domain", o.cluster_domain, "DNS domain of the cluster")
      ->multi_option_policy(one)->capture_default_str();
  app.add_option("--disable", o.disable, "components not to run: coredns (the cluster DNS), ...")->delimiter(',');
  app.add_flag("--disable-agent", o.disable_agent, "run the control plane only, no node");
  app.add_flag("--debug", o.debug, "log more");
}

struct EnvRow {
  const char* name;
  const char* flag;
};
constexpr EnvRow kEnvironment[] = {
    {"K3S_CONFIG_FILE", "config"},         {"KINGLET_CONFIG_FILE", "config"},
    {"K3S_DATA_DIR", "data-dir"},          {"KINGLET_DATA_DIR", "data-dir"},
    {"K3S_TOKEN", "token"},                {"KINGLET_TOKEN", "token"},
    {"K3S_TOKEN_FILE", "token-file"},      {"KINGLET_TOKEN_FILE", "token-file"},
    {"K3S_NODE_NAME", "node-name"},        {"KINGLET_NODE_NAME", "node-name"},
    {"K3S_KUBECONFIG_OUTPUT", "write-kubeconfig"}, {"KINGLET_KUBECONFIG_OUTPUT", "write-kubeconfig"},
    {"K3S_KUBECONFIG_MODE", "write-kubeconfig-mode"}, {"KINGLET_KUBECONFIG_MODE", "write-kubeconfig-mode"},
};

// Parses into `options`; returns an exit code when parsing ended the command.
std::optional<int> parse_into(ServerOptions& options, std::vector<std::string> args) {
  CLI::App app(kServerHelp, "kinglet server");
  add_flags(app, options);
  app.get_formatter()->column_width(40);
  std::reverse(args.begin(), args.end());  // CLI11 takes its arguments from the back
  try {
    app.parse(args);
  } catch (const CLI::ParseError& e) {
    return app.exit(e);  // prints the help, or the mistake and how to get help
  }
  return std::nullopt;
}

// The flags that `args` give themselves: a list in the file gives way to one on the command line, as in k3s.
bool gives_flag(const std::vector<std::string>& args, const std::string& flag) {
  const std::string key = flag.substr(0, flag.find('='));
  return std::any_of(args.begin(), args.end(), [&](const std::string& arg) {
    return arg == key || arg.rfind(key + "=", 0) == 0;
  });
}

Error in_flag(const char* flag, const std::string& what) { return Error(Code::invalid, "--{}: {}", flag, what); }

Result<boost::asio::ip::network_v4> cidr_of(const char* flag, const std::string& text, int prefix_max) {
  boost::system::error_code bad;
  const auto network = boost::asio::ip::make_network_v4(text, bad);
  if (bad || network.canonical() != network)
    return in_flag(flag, "\"" + text + "\" is not an IPv4 network such as 10.42.0.0/16");
  if (network.prefix_length() > prefix_max)
    return in_flag(flag, fmt::format("{} is too small: at most /{}", text, prefix_max));
  return network;
}
}  // namespace

Result<std::vector<std::string>> flags_of_config(const std::string& yaml) {
  KL_TRY_FN(document, json::parse_yaml(yaml));
  std::vector<std::string> flags;
  if (document.is_null()) return flags;
  if (!document.is_object()) return Error(Code::invalid, "not a list of \"flag: value\" lines");
  for (const auto& [key, value] : document.as_object()) {
    std::string name(key);
    if (!name.empty() && name.back() == '+') name.pop_back();  // k3s: append to what came before
    const auto scalar = [](const json::Value& v) {
      return v.is_string() ? std::string(v.as_string()) : json::print(v);
    };
    if (value.is_bool()) {
      flags.push_back("--" + name + "=" + (value.as_bool() ? "true" : "false"));
    } else if (value.is_array()) {
      for (const auto& item : value.as_array()) {
        if (item.is_object() || item.is_array())
          return Error(Code::invalid, "{}: a list of plain values is wanted", name);
        flags.push_back("--" + name + "=" + scalar(item));
      }
    } else if (value.is_object()) {
      return Error(Code::invalid, "{}: a value or a list is wanted", name);
    } else if (!value.is_null()) {
      flags.push_back("--" + name + "=" + scalar(value));
    }
  }
  return flags;
}

Parsed parse_server_options(Files& files, const std::vector<std::string>& args, std::string (*env)(const std::string&)) {
  Parsed parsed;
  std::vector<std::string> from_env;
  for (const auto& row : kEnvironment) {
    const std::string value = env(row.name);
    if (!value.empty()) from_env.push_back(std::string("--") + row.flag + "=" + value);
  }
  // A first pass finds the file and answers --help; the file's flags then go in front of the others.
  std::vector<std::string> given = from_env;
  given.insert(given.end(), args.begin(), args.end());
  ServerOptions first;
  if (const auto code = parse_into(first, given)) {
    parsed.exit_code = *code;
    return parsed;
  }
  std::vector<std::string> all;
  const auto text = read_file(files, first.config_file);
  const bool must_exist = first.config_file != kDefaultConfigFile;
  if (!text && (must_exist || !text.is(Code::not_found))) {
    std::fprintf(stderr, "kinglet: cannot read the configuration: %s\n", text.error().message().c_str());
    parsed.exit_code = 1;
    return parsed;
  }
  if (text) {
    const auto flags = flags_of_config(*text);
    if (!flags) {
      std::fprintf(stderr, "kinglet: %s: %s\n", first.config_file.c_str(), flags.error().message().c_str());
      parsed.exit_code = 1;
      return parsed;
    }
    for (const auto& flag : *flags)
      if (!gives_flag(given, flag)) all.push_back(flag);
  }
  all.insert(all.end(), given.begin(), given.end());
  if (const auto code = parse_into(parsed.options, all)) {
    parsed.exit_code = *code;
    return parsed;
  }
  if (const auto checked = check_options(parsed.options); !checked) {
    std::fprintf(stderr, "kinglet: %s\n", checked.error().message().c_str());
    parsed.exit_code = 1;
    return parsed;
  }
  parsed.run = true;
  return parsed;
}

Result<void> check_options(const ServerOptions& o) {
  KL_TRY_FN(pods, cidr_of("cluster-cidr", o.cluster_cidr, 24));
  KL_TRY_FN(services, cidr_of("service-cidr", o.service_cidr, 28));
  const auto inside = [](const auto& a, const auto& b) { return a.network() == b.network() || a.is_subnet_of(b); };
  if (inside(pods, services) || inside(services, pods))
    return in_flag("service-cidr", o.service_cidr + " overlaps --cluster-cidr " + o.cluster_cidr);
  if (o.flannel_backend != "vxlan" && o.flannel_backend != "host-gw" && o.flannel_backend != "none")
    return in_flag("flannel-backend", "\"" + o.flannel_backend + "\" is not one of vxlan, host-gw, none");
  if (!o.cluster_dns.empty()) {
    boost::system::error_code bad;
    const auto dns = boost::asio::ip::make_address_v4(o.cluster_dns, bad);
    const auto hosts = services.hosts();
    if (bad || hosts.find(dns) == hosts.end())
      return in_flag("cluster-dns", "\"" + o.cluster_dns + "\" is not an address inside --service-cidr " + o.service_cidr);
  }
  for (const auto* address : {&o.node_ip, &o.advertise_address, &o.bind_address}) {
    boost::system::error_code bad;
    if (!address->empty()) boost::asio::ip::make_address(*address, bad);
    if (bad) return Error(Code::invalid, "\"{}\" is not an IP address", *address);
  }
  int low = 0, high = 0, used = 0;
  if (std::sscanf(o.service_node_port_range.c_str(), "%d-%d%n", &low, &high, &used) != 2 ||
      static_cast<size_t>(used) != o.service_node_port_range.size() || low < 1 || high > 65535 || low > high)
    return in_flag("service-node-port-range", "\"" + o.service_node_port_range + "\" is not a range such as 30000-32767");
  unsigned mode = 0;
  if (std::sscanf(o.write_kubeconfig_mode.c_str(), "%o%n", &mode, &used) != 1 ||
      static_cast<size_t>(used) != o.write_kubeconfig_mode.size() || mode > 0777)
    return in_flag("write-kubeconfig-mode", "\"" + o.write_kubeconfig_mode + "\" is not an octal mode such as 0600");
  for (const auto& label : o.node_labels)
    if (label.find('=') == std::string::npos || label.front() == '=')
      return in_flag("node-label", "\"" + label + "\" is not KEY=VALUE");
  for (const auto& name : o.disable)
    if (std::find(std::begin(kDisableable), std::end(kDisableable), name) == std::end(kDisableable))
      return in_flag("disable", "no component \"" + name + "\" (there are: coredns, servicelb, traefik, "
                     "local-storage, metrics-server, runtimes)");
  return {};
}

}  // namespace kinglet::cli
