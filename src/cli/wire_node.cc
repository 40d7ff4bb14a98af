#include "cli/wire_node.h"

#include <filesystem>

#include "base/task.h"
#include "base/task_group.h"
#include "cli/version.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "node/api_config.h"
#include "node/container_lookup.h"
#include "node/images_api.h"
#include "node/kubelet_api.h"
#include "node/network/network.h"
#include "node/node_agent.h"
#include "node/node_stats.h"
#include "node/volumes/api_volumes.h"

namespace kinglet::cli {
namespace {

std::vector<std::string> own_command(const char* name) {
  return {std::filesystem::read_symlink("/proc/self/exe").string(), name};
}

runtime::RuntimeOptions runtime_options(const NodeSetup& setup) {
  runtime::RuntimeOptions options;
  options.data_dir = setup.agent_dir;
  options.unpack_command = own_command("unpack-image");
  options.fetch_command = own_command("fetch-image");
  return options;
}

network::NetworkOptions network_options(const NodeSetup& setup) {
  network::NetworkOptions options;
  options.pod_cidr_file = setup.agent_dir + "/pod-cidr";
  options.backend = network::backend_of(setup.flannel_backend).value_or(network::Backend::vxlan);
  options.cluster_cidr = setup.cluster_cidr;
  options.service_cidr = setup.service_cidr;
  options.cluster_dns = setup.cluster_dns_enabled ? setup.cluster_dns : "";
  options.cluster_domain = setup.cluster_domain;
  options.node_name = setup.node_name;
  options.nft_command = own_command("apply-nftables");
  return options;
}

node::NodeIdentity identity_of(const NodeSetup& setup) {
  return {setup.node_name, setup.node_ip, setup.node_labels, setup.node_taints, kVersion};
}

node::DnsSettings dns_settings(Files& files, const NodeSetup& setup, const network::NetworkOptions& network) {
  node::DnsSettings dns;
  dns.cluster_dns = setup.cluster_dns;
  dns.cluster_domain = setup.cluster_domain;
  dns.cluster_dns_enabled = !network.cluster_dns.empty();
  auto text = read_file(files, network.resolv_conf);
  if (text) dns.host_resolv_conf = *std::move(text);  // a machine without one resolves only the cluster's names
  return dns;
}

// The kubelet API, and the node's image commands beside it.
class Kubelet final : public net::Handler {
 public:
  Kubelet(std::unique_ptr<net::Handler> api, runtime::Images& images, node::NodeStats& stats)
      : api_(std::move(api)), images_(images), stats_(stats) {}
  Task<void> serve(net::Exchange& exchange) override {
    if (node::is_images_request(exchange.request()))
      co_await node::serve_images(images_, exchange);
    else if (node::NodeStats::serves(exchange.request()))
      co_await stats_.serve(exchange);
    else
      co_await api_->serve(exchange);
  }

 private:
  std::unique_ptr<net::Handler> api_;
  runtime::Images& images_;
  node::NodeStats& stats_;
};

class Wired final : public NodeSide {
 public:
  Wired(Files& files, Clock& clock, Random& random, const NodeSetup& setup, client::Api& api, Metrics& metrics,
        std::unique_ptr<runtime::Runtime> runtime, std::unique_ptr<client::Informers> informers,
        std::unique_ptr<network::Network> network, node::HostFacts facts)
      : informers_(std::move(informers)),
        runtime_(std::move(runtime)),
        network_(std::move(network)),
        events_(api, clock, random, metrics, "kubelet", setup.node_name),
        config_(api, informers_->of<node::KnownService>()),
        volumes_(node::make_api_volumes(setup.agent_dir + "/pods", config_, api, clock)),
        parts_{api, *runtime_, *network_, *volumes_, config_, events_, clock, random, setup.node_name, setup.node_ip,
               "/var/log/pods", setup.agent_dir + "/termination",
               dns_settings(files, setup, network_options(setup)), facts.cpus * 1000, facts.memory_bytes,
               setup.agent_dir + "/pod-manifests",
               setup.agent_dir + "/images"},
        agent_(parts_, informers_->of<node::LocalPod>("", "spec.nodeName=" + setup.node_name), identity_of(setup),
               std::move(facts)),
        lookup_(parts_, agent_),
        stats_(parts_, agent_, setup.agent_dir),
        kubelet_(node::make_kubelet_api(lookup_, clock), runtime_->images(), stats_) {}

  Task<Result<void>> run() override {
    KL_CHECK(co_await network_->setup(), "pod network");
    TaskGroup parts;
    parts.add("node informers", informers_->run());
    parts.add("node events", events_.run());
    parts.add("network", network_->run());
    parts.add("network ready", announce_network());
    parts.add("agent", agent_.run());
    co_return co_await parts.run();
  }

  net::Handler* kubelet() override { return &kubelet_; }
  void announce(const std::string& address) override { agent_.announce(address); }

  Task<std::string> gateway() override {
    co_await network_->wait_ready();
    co_return network_->gateway();
  }

 private:
  Task<void> announce_network() {
    co_await network_->wait_ready();
    agent_.network_ready();
  }

  std::unique_ptr<client::Informers> informers_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::unique_ptr<network::Network> network_;
  client::EventRecorder events_;
  node::ApiConfig config_;
  std::unique_ptr<node::PodVolumes> volumes_;
  node::PodParts parts_;
  node::NodeAgent agent_;
  node::ContainerLookup lookup_;
  node::NodeStats stats_;
  Kubelet kubelet_;
};

}  // namespace

NodeSetup node_setup_of(const ServerSetup& setup) {
  NodeSetup out;
  out.data_dir = setup.options.data_dir;
  out.agent_dir = setup.options.agent_dir();
  out.node_name = setup.node_name;
  out.node_ip = setup.node_ip;
  out.node_labels = setup.options.node_labels;
  out.node_taints = setup.options.node_taints;
  out.cluster_cidr = setup.options.cluster_cidr;
  out.service_cidr = setup.options.service_cidr;
  out.cluster_domain = setup.options.cluster_domain;
  out.cluster_dns = setup.cluster_dns;
  const auto& off = setup.options.disable;
  out.cluster_dns_enabled = std::find(off.begin(), off.end(), "coredns") == off.end();
  out.flannel_backend = setup.options.flannel_backend;
  return out;
}

Result<std::unique_ptr<NodeSide>> make_node_side(Files& files, Clock& clock, Random& random, const NodeSetup& setup,
                                                 client::Api& api, Metrics& metrics) {
  KL_TRY_FN(runtime, runtime::make_builtin_runtime(runtime_options(setup), clock, random));
  auto informers = std::make_unique<client::Informers>(api, clock, random);
  KL_TRY_FN(network, network::make_network(network_options(setup), *informers, clock, random, files, metrics));
  return std::unique_ptr<NodeSide>(std::make_unique<Wired>(files, clock, random, setup, api, metrics, std::move(runtime),
                                                           std::move(informers), std::move(network),
                                                           node::read_host_facts(setup.data_dir)));
}

}  // namespace kinglet::cli
