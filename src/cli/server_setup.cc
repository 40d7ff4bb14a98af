#include "cli/server_setup.h"

#include <boost/asio/ip/network_v4.hpp>
#include <cstdlib>

#include "cli/connection.h"
#include "cluster/kubeconfig.h"
#include "node/host_facts.h"

namespace kinglet::cli {
namespace {

constexpr uint32_t kKubernetesServiceIndex = 1, kDnsIndex = 10;
constexpr const char* kPodCidrPrefix = "/24";  // of a node, as in k3s

Result<std::string> token_of(Files& files, const ServerOptions& options) {
  if (!options.token.empty() || options.token_file.empty()) return options.token;
  KL_TRY_FN(text, read_file(files, options.token_file), "--token-file");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return std::string(text);
}

cluster::Kubeconfig kubeconfig_of(const ServerSetup& setup) {
  cluster::Kubeconfig out;
  // Loopback reaches the server whatever address the machine has; another one only when it listens there alone.
  const std::string& bind = setup.options.bind_address;
  const bool any = bind.empty() || bind == "::" || bind == "0.0.0.0";
  const std::string host = any ? "127.0.0.1" : bind.find(':') != std::string::npos ? "[" + bind + "]" : bind;
  out.server = fmt::format("https://{}:{}", host, setup.options.https_listen_port);
  // The certificate alone, not the chain that servers show.
  out.ca_pem = setup.pki.server_ca.certificate_pem;
  out.client = setup.pki.admin;
  return out;
}

}  // namespace

std::string nth_address(const std::string& cidr, uint32_t n) {
  const auto network = boost::asio::ip::make_network_v4(cidr);
  return boost::asio::ip::address_v4(network.network().to_uint() + n).to_string();
}

Result<ServerSetup> set_up_server(Files& files, Clock& clock, Random& random, const ServerOptions& options) {
  ServerSetup setup;
  setup.options = options;
  KL_CHECK_FN(files.make_dirs(options.server_dir()), "data directory");
  KL_CHECK_FN(files.make_dirs(options.agent_dir()), "data directory");
  const auto facts = node::read_host_facts(options.data_dir);
  setup.node_name = options.node_name.empty() ? node::node_name_of(facts.host_name) : options.node_name;
  setup.node_ip = options.node_ip.empty() ? node::find_node_ip() : options.node_ip;
  setup.advertise_address = options.advertise_address.empty() ? setup.node_ip : options.advertise_address;
  setup.service_ip = nth_address(options.service_cidr, kKubernetesServiceIndex);
  setup.cluster_dns = options.cluster_dns.empty() ? nth_address(options.service_cidr, kDnsIndex) : options.cluster_dns;
  setup.pod_cidr = nth_address(options.cluster_cidr, 0) + kPodCidrPrefix;

  cluster::PkiOptions pki;
  pki.data_dir = options.data_dir;
  pki.node_name = setup.node_name;
  pki.tls_sans = options.tls_san;
  for (const auto& own : {setup.node_ip, setup.advertise_address}) pki.tls_sans.push_back(own);
  pki.service_ip = setup.service_ip;
  pki.cluster_domain = options.cluster_domain;
  KL_TRY_FN(made, cluster::ensure_pki(files, clock, pki));
  setup.pki = std::move(made);

  cluster::JoinTokenOptions tokens;
  tokens.data_dir = options.data_dir;
  KL_TRY_FN(token, token_of(files, options));
  tokens.server_token = token;
  KL_TRY_FN(ensured, cluster::ensure_join_tokens(files, random, setup.pki.server_ca.certificate_pem, tokens));
  setup.tokens = std::move(ensured);
  KL_CHECK_FN(write_file(files, options.agent_dir() + "/node-name", setup.node_name));
  return setup;
}

Result<void> write_kubeconfigs(Files& files, const ServerSetup& setup) {
  const auto config = kubeconfig_of(setup);
  KL_CHECK_FN(cluster::write_kubeconfig(files, admin_kubeconfig_path(setup.options.data_dir), config));
  const auto mode = static_cast<uint32_t>(std::strtoul(setup.options.write_kubeconfig_mode.c_str(), nullptr, 8));
  return cluster::write_kubeconfig(files, setup.options.write_kubeconfig, config, mode);
}

}  // namespace kinglet::cli
