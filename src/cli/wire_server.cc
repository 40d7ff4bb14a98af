#include "cli/wire_server.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>

#include "apiserver/auth/authn.h"
#include "apiserver/auth/authorizer.h"
#include "apiserver/auth/bootstrap.h"
#include "apiserver/auth/certificate_admission.h"
#include "apiserver/auth/node_restriction.h"
#include "apiserver/auth/reviews.h"
#include "apiserver/auth/token_request.h"
#include "apiserver/discovery/discovery.h"
#include "apiserver/discovery/health.h"
#include "apiserver/discovery/openapi.h"
#include "apiserver/discovery/trust.h"
#include "apiserver/http_proxy.h"
#include "apiserver/metrics_api.h"
#include "apiserver/node_proxy.h"
#include "apiserver/server.h"
#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "cli/cluster_config.h"
#include "cli/local_storage.h"
#include "cli/tunnel_routes.h"
#include "cli/version.h"
#include "cli/wire_node.h"
#include "client/informer.h"
#include "cluster/csr_signer.h"
#include "cluster/node_names.h"
#include "controllers/controllers.h"
#include "net/server.h"
#include "scheduler/scheduler.h"
#include "store/store.h"
#include "tunnel/address_watch.h"
#include "tunnel/nodes.h"

namespace kinglet::cli {
namespace {

apiserver::User component(const char* name) { return {name, "", {"system:authenticated"}, {}}; }

apiserver::User node_user(const std::string& node) {
  return {"system:node:" + node, "", {"system:nodes", "system:authenticated"}, {}};
}

store::SqliteOptions store_options(const ServerSetup& setup) {
  store::SqliteOptions options;
  options.path = setup.options.server_dir() + "/db/state.db";
  options.indexer = apiserver::index_tags;
  return options;
}

apiserver::TokenOptions token_options(const ServerSetup& setup) {
  apiserver::TokenOptions options;
  options.key_pem = setup.pki.service_key_pem;
  return options;
}

apiserver::AuthnOptions authn_options(const ServerSetup& setup) {
  apiserver::AuthnOptions options;
  options.shared_tokens.push_back({setup.tokens.server_secret, apiserver::join_user("server")});
  if (setup.tokens.agent_secret != setup.tokens.server_secret)
    options.shared_tokens.push_back({setup.tokens.agent_secret, apiserver::join_user("agent")});
  return options;
}

net::ServerOptions listen_options(const ServerSetup& setup) {
  net::ServerOptions options;
  if (!setup.options.bind_address.empty()) options.address = setup.options.bind_address;
  options.port = setup.options.https_listen_port;
  options.key_pair = setup.pki.serving;
  options.client_ca_pem = setup.pki.client_ca.certificate_pem;
  return options;
}

class Wired final : public ControlPlane {
 public:
  Wired(Clock& clock, Random& random, const ServerSetup& setup, std::unique_ptr<Metrics> metrics,
        std::unique_ptr<store::Store> store)
      : clock_(clock),
        random_(random),
        setup_(setup),
        metrics_(std::move(metrics)),
        store_(std::move(store)),
        authorizer_(apiserver::make_authorizer(*store_)),
        registry_(apiserver::make_registry(*store_, clock, random, registry_options())),
        tokens_(*registry_, clock, random, token_options(setup)),
        authenticator_(
            apiserver::make_authenticator(*registry_, clock, *authorizer_, tokens_, authn_options(setup))),
        names_api_(apiserver::make_local_api(*registry_, nullptr, apiserver::server_user())),
        names_(*names_api_),
        nodes_(clock, *metrics_, nodes_options()),
        handler_(apiserver::make_handler({*registry_, *authenticator_, *authorizer_, clock, random, *metrics_,
                                          extensions()})),
        controller_api_(apiserver::make_local_api(*registry_, nullptr, component("system:kube-controller-manager"))),
        scheduler_api_(apiserver::make_local_api(*registry_, nullptr, component("system:kube-scheduler"))),
        node_api_(apiserver::make_token_api(
            apiserver::make_local_api(*registry_, authorizer_.get(), node_user(setup.node_name)), *registry_, tokens_,
            authorizer_.get(), node_user(setup.node_name))),
        informers_(*controller_api_, clock, random),
        controllers_(controllers::make_controllers(*controller_api_, clock, random, *metrics_, informers_,
                                                   controller_options())),
        scheduler_(scheduler::make_scheduler(*scheduler_api_, clock, random, *metrics_, informers_, {})),
        signer_api_(apiserver::make_local_api(*registry_, nullptr, apiserver::server_user())),
        csr_signer_(*signer_api_, clock, random, setup.pki.client_ca, setup.pki.server_ca,
                    [this](const cluster::CsrUser& user, const std::string& part) { return may_auto_approve(user, part); }) {}

  Result<void> bind() {
    KL_TRY_FN(server, net::listen(clock_, *metrics_, *handler_, listen_options(setup_)));
    server_ = std::move(server);
    return {};
  }

  Task<Result<void>> run(std::function<void()> ready) override {
    TaskGroup parts;
    parts.add("store", store_->run());
    parts.add("https", server_->run());
    parts.add("events", registry_->expire_events());
    parts.add("tunnels", nodes_.run());
    parts.add("control loops", start_control(parts, std::move(ready)));
    co_return co_await parts.run();
  }

  client::Api& node_api() override { return *node_api_; }
  void set_node(const std::string& name, net::Handler* kubelet) override { nodes_.set_local(name, kubelet); }
  Task<Result<void>> publish_address(std::string address) override {
    auto published = apiserver::publish_api_address(*registry_, api_address(address));
    co_return co_await std::move(published);
  }
  void announce_servers() override {
    auto servers = server_urls();
    if (servers == announced_servers_) return;
    announced_servers_ = std::move(servers);
    nodes_.announce_servers();
  }
  Metrics& metrics() override { return *metrics_; }

 private:
  // Every address of this machine that is not the cluster's own business.
  std::vector<std::string> server_urls() const {
    std::vector<std::string> hosts;
    if (is_reachable_address(setup_.advertise_address)) hosts.push_back(setup_.advertise_address);
    for (const auto& host : tunnel::own_addresses())
      if (host != setup_.advertise_address && !inside_cluster(host)) hosts.push_back(host);
    for (const auto& name : setup_.options.tls_san) hosts.push_back(name);
    std::vector<std::string> out;
    for (const auto& host : hosts) {
      const bool v6 = host.find(':') != std::string::npos;
      out.push_back(fmt::format("https://{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", setup_.options.https_listen_port));
    }
    return out;
  }

  bool inside_cluster(const std::string& host) const {
    boost::system::error_code bad;
    const auto address = boost::asio::ip::make_address_v4(host, bad);
    if (bad) return false;
    for (const auto* cidr : {&setup_.options.cluster_cidr, &setup_.options.service_cidr}) {
      const auto network = boost::asio::ip::make_network_v4(*cidr);
      if (boost::asio::ip::make_network_v4(address, network.prefix_length()).canonical() == network.canonical())
        return true;
    }
    return false;
  }

  tunnel::NodesOptions nodes_options() {
    tunnel::NodesOptions options;
    options.servers = [this] { return server_urls(); };
    return options;
  }

  std::string cluster_config() const {
    const NodeSetup own = node_setup_of(setup_);
    ClusterConfig config;
    config.cluster_cidr = own.cluster_cidr;
    config.service_cidr = own.service_cidr;
    config.cluster_dns = own.cluster_dns;
    config.cluster_dns_enabled = own.cluster_dns_enabled;
    config.cluster_domain = own.cluster_domain;
    config.flannel_backend = own.flannel_backend;
    return encode_cluster_config(config);
  }

  apiserver::RegistryOptions registry_options() {
    apiserver::RegistryOptions options;
    options.hooks = apiserver::make_hooks({setup_.options.service_cidr, setup_.options.service_node_port_range});
    options.admission = apiserver::make_admission(clock_);
    options.admission.push_back(apiserver::make_node_restriction());
    options.admission.push_back(apiserver::make_certificate_admission(*authorizer_));
    options.admission.push_back(apiserver::make_escalation_check(*authorizer_));
    return options;
  }

  std::vector<std::unique_ptr<apiserver::Extension>> extensions() {
    std::vector<std::unique_ptr<apiserver::Extension>> out;
    health_.add("first-objects", apiserver::HealthChecks::Means::not_ready, [this]() -> Result<void> {
      if (bootstrapped_) return {};
      return Error(Code::service_unavailable, "the cluster's first objects are not there yet");
    });
    health_.add("store", apiserver::HealthChecks::Means::not_ready, [this] { return store_->healthy(); });
    out.push_back(apiserver::make_health(health_));
    out.push_back(apiserver::make_discovery(
        {kVersion, fmt::format("{}:{}", setup_.advertise_address, setup_.options.https_listen_port)}));
    out.push_back(apiserver::make_openapi());
    out.push_back(apiserver::make_metrics_page(*metrics_));
    out.push_back(apiserver::make_issuer_discovery(tokens_));
    out.push_back(apiserver::make_ca_page(setup_.pki.server_ca.certificate_pem));
    out.push_back(apiserver::make_reviews(*authenticator_, *authorizer_, clock_));
    out.push_back(apiserver::make_token_request(*registry_, tokens_));
    out.push_back(apiserver::make_node_proxy(*registry_, nodes_));
    out.push_back(make_tunnel_routes(nodes_, names_, cluster_config()));
    out.push_back(apiserver::make_metrics_api(*registry_, nodes_, clock_));
    out.push_back(apiserver::make_http_proxy(*registry_, clock_, random_));
    return out;
  }

  bool may_auto_approve(const cluster::CsrUser& user, const std::string& part) const {
    apiserver::Attributes asked;
    asked.verb = "create";
    asked.group = "certificates.k8s.io";
    asked.version = "v1";
    asked.resource = "certificatesigningrequests";
    asked.subresource = part;
    return authorizer_->authorize({user.name, "", user.groups, {}}, asked).allowed;
  }

  controllers::Options controller_options() {
    controllers::Options options;
    options.root_ca = setup_.pki.server_ca.certificate_pem;
    options.liveness = &nodes_;
    options.cluster_cidr = setup_.options.cluster_cidr;
    if (!setup_.options.disable_agent) options.own_node = setup_.node_name;
    options.own_node_cidr = setup_.pod_cidr;
    options.read_time_zone = read_time_zone;
    options.storage_dir = setup_.options.data_dir + "/storage";
    options.remove_directory = [this](std::string node, std::string path) {
      return local_storage_.remove(std::move(node), std::move(path));
    };
    const auto& off = setup_.options.disable;
    options.local_path_class = std::find(off.begin(), off.end(), "local-storage") == off.end();
    return options;
  }

  // Not yet known (empty) while the machine has only its loopback.
  apiserver::ApiAddress api_address(const std::string& address) const {
    return {setup_.service_ip, is_reachable_address(address) ? address : "", setup_.options.https_listen_port};
  }

  // The cluster's first objects, then everything that acts on objects.
  Task<Result<void>> start_control(TaskGroup& parts, std::function<void()> ready) {
    auto bootstrap = apiserver::bootstrap_cluster(*registry_, api_address(setup_.advertise_address));
    KL_CHECK(co_await std::move(bootstrap), "first objects");
    bootstrapped_ = true;
    ready();
    parts.add("informers", informers_.run());
    parts.add("controllers", controllers_->run());
    parts.add("scheduler", scheduler_->run());
    parts.add("certificate requests", csr_signer_.run());
    co_return Result<void>();
  }

  Clock& clock_;
  Random& random_;
  const ServerSetup& setup_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<apiserver::RbacAuthorizer> authorizer_;
  std::unique_ptr<apiserver::Registry> registry_;
  apiserver::ServiceAccountTokens tokens_;
  std::unique_ptr<apiserver::Authenticator> authenticator_;
  std::unique_ptr<client::Api> names_api_;
  cluster::NodeNames names_;
  std::vector<std::string> announced_servers_;
  tunnel::Nodes nodes_;
  apiserver::HealthChecks health_;
  std::unique_ptr<net::Handler> handler_;
  std::unique_ptr<client::Api> controller_api_, scheduler_api_, node_api_;
  client::Informers informers_;
  LocalStorage local_storage_{setup_.options.disable_agent ? "" : setup_.node_name, setup_.options.data_dir + "/storage"};
  std::unique_ptr<controllers::Controllers> controllers_;
  std::unique_ptr<scheduler::Scheduler> scheduler_;
  std::unique_ptr<client::Api> signer_api_;
  cluster::CsrSigner csr_signer_;
  std::unique_ptr<net::Server> server_;
  bool bootstrapped_ = false;
};

}  // namespace

bool is_reachable_address(const std::string& address) {
  boost::system::error_code bad;
  const auto parsed = boost::asio::ip::make_address(address, bad);
  return !bad && !parsed.is_loopback() && !parsed.is_unspecified();
}

Result<std::unique_ptr<ControlPlane>> make_control_plane(Files& files, Clock& clock, Random& random,
                                                         const ServerSetup& setup) {
  KL_CHECK_FN(files.make_dirs(setup.options.server_dir() + "/db"));
  auto metrics = make_metrics();
  KL_TRY_FN(store, store::open_sqlite(files, clock, *metrics, store_options(setup)));
  auto wired = std::make_unique<Wired>(clock, random, setup, std::move(metrics), std::move(store));
  KL_CHECK_FN(wired->bind());
  return std::unique_ptr<ControlPlane>(std::move(wired));
}

}  // namespace kinglet::cli
