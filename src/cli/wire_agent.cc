#include "cli/wire_agent.h"

#include <malloc.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/log.h"
#include "base/metrics.h"
#include "base/task.h"
#include "base/task_group.h"
#include "cli/cluster_config.h"
#include "cli/version.h"
#include "cli/wire_node.h"
#include "client/backoff.h"
#include "client/remote_api.h"
#include "cluster/join.h"
#include "node/host_facts.h"
#include "tunnel/address_watch.h"
#include "tunnel/agent_tunnel.h"

namespace kinglet::cli {
namespace {

constexpr Duration kJoinRetryFirst = 500ms, kJoinRetryMax = 10s;
constexpr Duration kRenewCheck = 1h;
constexpr Duration kRenewPatience = 1min;
constexpr size_t kNodeIdBytes = 4;

// A name that lasts: with_node_id's random part is made once.
Result<std::string> node_name_of(Files& files, Random& random, const AgentOptions& options) {
  std::string name = options.node_name;
  if (name.empty()) name = node::node_name_of(node::read_host_facts(options.data_dir).host_name);
  if (!options.with_node_id) return name;
  const std::string path = options.agent_dir() + "/node-id";
  if (const auto id = read_file(files, path, 64)) return name + "-" + *id;
  const std::string id = random.hex(kNodeIdBytes);
  KL_CHECK_FN(write_file(files, path, id));
  return name + "-" + id;
}

Result<std::string> token_text(Files& files, const AgentOptions& options) {
  if (!options.token.empty() || options.token_file.empty()) return options.token;
  KL_TRY_FN(text, read_file(files, options.token_file), "--token-file");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return std::string(text);
}

bool worth_retrying(const Error& error) {
  return error.code() == Code::unavailable || error.code() == Code::timeout ||
         error.code() == Code::already_exists || error.code() == Code::service_unavailable ||
         error.code() == Code::too_many_requests || error.code() == Code::server_timeout;
}

// NO_PROXY's way of naming: a host, or a domain and what is below it.
std::string proxy_for(const AgentOptions& options, const std::string& url) {
  std::string host = url.substr(url.find("://") + 3);
  host =
      host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
  for (const auto& rule : options.no_proxy) {
    const std::string suffix = rule.starts_with('.') ? rule : "." + rule;
    if (rule == "*" || rule == host || (!rule.empty() && host.ends_with(suffix))) return {};
  }
  return options.proxy;
}

// One run of an agent; its parts are made in order of need.
class Agent {
 public:
  Agent(Files& files, Clock& clock, Random& random, const AgentOptions& options)
      : files_(files),
        clock_(clock),
        random_(random),
        options_(options),
        metrics_(make_metrics()),
        servers_(files, options.agent_dir() + "/servers.json", options.servers) {}

  Task<Result<void>> run() {
    TaskGroup everything;
    everything.add("signals", wait_for_stop(everything));
    everything.add("agent", start(everything));
    co_return co_await everything.run();
  }

 private:
  Task<Result<void>> start(TaskGroup& everything) {
    KL_CHECK(files_.make_dirs(options_.agent_dir()), "data directory");
    KL_TRY(name, node_name_of(files_, random_, options_));
    name_ = name;
    if (servers_.in_order().empty())
      co_return Error(
          Code::invalid,
          "which cluster? give --server https://HOST:6443 and --token (or K3S_URL, K3S_TOKEN)");
    KL_CHECK(co_await obtain_credentials());
    KL_CHECK(co_await obtain_config());
    KL_CHECK(write_file(files_, options_.agent_dir() + "/node-name", name_));
    tunnel::AgentTunnelOptions tunnel;
    tunnel.tls = cluster::node_tls(credentials_);
    tunnel.proxy_for = [this](const std::string& url) { return proxy_for(options_, url); };
    tunnel_ = std::make_unique<tunnel::AgentTunnel>(clock_, random_, servers_, std::move(tunnel));
    api_ = client::make_remote_api(clock_, *tunnel_);
    const NodeSetup setup = node_setup();
    KL_TRY(node, make_node_side(files_, clock_, random_, setup, *api_, *metrics_));
    node_ = std::move(node);
    tunnel_->set_handler(node_->kubelet());
    tunnel_->on_connected([this](const std::string& address) { connected(address); });
    everything.add("tunnel", tunnel_->run());
    everything.add("node", node_->run());
    everything.add("addresses", tunnel::watch_addresses([this] { tunnel_->addresses_changed(); }));
    everything.add("certificate", keep_certificate());
    ::malloc_trim(0);  // what starting needed is not needed again
    co_return Result<void>();
  }

  // From an earlier start, or by joining, for as long as that takes.
  Task<Result<void>> obtain_credentials() {
    auto stored = cluster::stored_credentials(files_, clock_, options_.agent_dir(), name_);
    if (stored) {
      credentials_ = std::move(*stored);
      co_return Result<void>();
    }
    if (!stored.is(Code::not_found)) log_.warn("joining anew", kv("why", stored.error()));
    cluster::JoinOptions join = join_options();
    KL_TRY(token, token_text(files_, options_));
    if (token.empty())
      co_return Error(
          Code::invalid,
          "this machine is no node yet ({}): give --token, as server/node-token of the server's "
          "data directory has it",
          stored.error().message());
    join.token = token;
    client::Backoff backoff(random_, kJoinRetryFirst, kJoinRetryMax);
    for (;;) {
      auto joining = cluster::join_cluster(files_, clock_, random_, join);
      auto joined = co_await std::move(joining);
      if (joined) {
        credentials_ = std::move(*joined);
        log_.info("joined", kv("node", name_));
        co_return Result<void>();
      }
      if (!worth_retrying(joined.error())) co_return std::move(joined.error()).with_context("join");
      log_.warn("not joined yet", kv("error", joined.error()));
      const auto pause = backoff.next();
      co_await clock_.sleep(pause);
    }
  }

  // As it was at the last start, or as a server tells it: a node that was once in its cluster
  // starts without one.
  Task<Result<void>> obtain_config() {
    const std::string path = options_.agent_dir() + "/cluster-config.json";
    const auto kept = read_file(files_, path);
    if (kept) {
      const auto config = decode_cluster_config(*kept);
      if (config) {
        config_ = *config;
        co_return Result<void>();
      }
    }
    client::Backoff backoff(random_, kJoinRetryFirst, kJoinRetryMax);
    for (;;) {
      auto asking = cluster::get_as_node(clock_, join_options(), credentials_, kClusterConfigPath);
      const auto text = co_await std::move(asking);
      const auto config = text ? decode_cluster_config(*text) : Result<ClusterConfig>(text.error());
      if (config) {
        config_ = *config;
        co_return write_file(files_, path, *text);
      }
      if (!worth_retrying(config.error())) co_return Error(config.error());
      log_.warn("the cluster's configuration is not known yet", kv("error", config.error()));
      const auto pause = backoff.next();
      co_await clock_.sleep(pause);
    }
  }

  cluster::JoinOptions join_options() const {
    cluster::JoinOptions join;
    join.servers = servers_.in_order();
    join.proxy_for = [this](const std::string& url) { return proxy_for(options_, url); };
    join.node_name = name_;
    join.agent_dir = options_.agent_dir();
    return join;
  }

  NodeSetup node_setup() const {
    NodeSetup setup;
    setup.data_dir = options_.data_dir;
    setup.agent_dir = options_.agent_dir();
    setup.node_name = name_;
    setup.node_ip = options_.node_ip.empty() ? node::find_node_ip() : options_.node_ip;
    setup.node_labels = options_.node_labels;
    setup.node_taints = options_.node_taints;
    setup.cluster_cidr = config_.cluster_cidr;
    setup.service_cidr = config_.service_cidr;
    setup.cluster_domain = config_.cluster_domain;
    setup.cluster_dns = config_.cluster_dns;
    setup.cluster_dns_enabled = config_.cluster_dns_enabled;
    setup.flannel_backend = config_.flannel_backend;
    return setup;
  }

  // The address from which the server is reached is the one at which others reach us, unless
  // somebody knows better.
  void connected(const std::string& address) {
    const bool loopback = address.starts_with("127.") || address == "::1";
    node_->announce(options_.node_ip.empty() && !loopback ? address : "");
  }

  Task<void> keep_certificate() {
    for (;;) {
      const auto info = net::read_certificate(credentials_.client.certificate_pem);
      if (info && cluster::renewal_due(*info, clock_.wall())) {
        const auto renewed = co_await renew();
        if (renewed)
          log_.info("certificate renewed", kv("node", name_));
        else
          log_.warn("certificate not renewed", kv("error", renewed.error()));
      }
      co_await clock_.sleep(kRenewCheck);
    }
  }

  Task<Result<void>> renew() {
    KL_TRY(key, net::make_key());
    std::string name = name_, own = key;
    auto asking = cluster::request_certificate(*api_, clock_, random_, std::move(name),
                                               std::move(own), kRenewPatience);
    KL_TRY(certificate, co_await std::move(asking));
    credentials_.client = {certificate, key};
    KL_CHECK(cluster::store_credentials(files_, options_.agent_dir(), credentials_));
    tunnel_->set_key_pair(credentials_.client);
    co_return Result<void>();
  }

  Task<Result<void>> wait_for_stop(TaskGroup& everything) {
    boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGTERM, SIGINT);
    const int number = co_await signals.async_wait(boost::asio::use_awaitable);
    log_.info("stopping; containers keep running", kv("signal", number));
    if (tunnel_) {
      const auto told = co_await tunnel_->goodbye();
      if (!told) log_.debug("goodbye not sent", kv("error", told.error()));
    }
    everything.cancel();
    co_return Result<void>();
  }

  Files& files_;
  Clock& clock_;
  Random& random_;
  const AgentOptions& options_;
  std::unique_ptr<Metrics> metrics_;
  tunnel::ServerList servers_;
  std::string name_;
  cluster::NodeCredentials credentials_;
  ClusterConfig config_;
  std::unique_ptr<tunnel::AgentTunnel> tunnel_;
  std::unique_ptr<client::Api> api_;
  std::unique_ptr<NodeSide> node_;
  Log log_{"agent"};
};

}  // namespace

Task<Result<void>> run_agent(Files& files, Clock& clock, Random& random,
                             const AgentOptions& options) {
  Agent agent(files, clock, random, options);
  co_return co_await agent.run();
}

}  // namespace kinglet::cli
