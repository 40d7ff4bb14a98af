#include "cli/tunnel_routes.h"

#include "apiserver/auth/node_authorizer.h"
#include "base/task.h"
#include "cli/cluster_config.h"
#include "tunnel/control.h"

namespace kinglet::cli {
namespace {

class TunnelRoutes final : public apiserver::Extension {
 public:
  TunnelRoutes(tunnel::Nodes& nodes, cluster::NodeNames& names, std::string config)
      : nodes_(nodes), names_(names), config_(std::move(config)) {}

  bool serves(const apiserver::RequestInfo& info) const override {
    return info.path == kClusterConfigPath || info.path == tunnel::kControlPath ||
           info.path.starts_with(tunnel::kStreamPathPrefix);
  }

  Task<void> serve(net::Exchange& exchange, const apiserver::RequestInfo& info,
                   const apiserver::User& user) override {
    auto done = co_await route(exchange, info, user);
    if (done || exchange.started()) co_return;
    const Error error = done.error();
    co_await apiserver::respond_error(exchange, error);
  }

 private:
  Task<Result<void>> route(net::Exchange& exchange, const apiserver::RequestInfo& info,
                           const apiserver::User& user) {
    const auto node = apiserver::node_of(user);
    // The certificate itself, not somebody who may speak for it: a tunnel is the machine.
    const auto& peer = exchange.request().peer;
    if (!node || !peer.certificate_verified || peer.common_name != user.name)
      co_return Error(Code::forbidden, "only a node with its own certificate may use {}",
                      info.path);
    if (info.path == kClusterConfigPath) {
      std::string text = config_, type = "application/json";
      co_return co_await net::respond_text(exchange, 200, std::move(text), std::move(type));
    }
    std::string key = peer.public_key_sha256, name = *node;
    if (info.path == tunnel::kControlPath) {
      auto checking = names_.check(name, std::move(key));
      KL_CHECK(co_await std::move(checking));
      co_await nodes_.serve_control(exchange, std::move(name));
      co_return Result<void>();
    }
    const std::string number = info.path.substr(std::string_view(tunnel::kStreamPathPrefix).size());
    if (number.empty() || number.size() > 19 ||
        !std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; }))
      co_return Error(Code::not_found, "no such stream");
    co_await nodes_.serve_stream(exchange, std::move(name), std::stoull(number));
    co_return Result<void>();
  }

  tunnel::Nodes& nodes_;
  cluster::NodeNames& names_;
  const std::string config_;
};

}  // namespace

std::unique_ptr<apiserver::Extension> make_tunnel_routes(tunnel::Nodes& nodes,
                                                         cluster::NodeNames& names,
                                                         std::string config) {
  return std::make_unique<TunnelRoutes>(nodes, names, std::move(config));
}

}  // namespace kinglet::cli
