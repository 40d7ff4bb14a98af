#include "apiserver/discovery/discovery.h"

#include "apiserver/auth/virtual_object.h"
#include "apiserver/discovery/documents.h"
#include "apiserver/internal/body_writer.h"
#include "apiserver/internal/negotiate.h"
#include "base/task.h"
#include "net/crypto.h"

namespace kinglet::apiserver {
namespace {

std::string upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (slash != 0) out.push_back(path.substr(0, slash));
    path = slash == path.npos ? std::string_view() : path.substr(slash + 1);
  }
  return out;
}

json::Value paths_document() {
  json::Array paths;
  for (const char* path :
       {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez",
        "/metrics", "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"})
    paths.emplace_back(path);
  return json::Object{{"paths", std::move(paths)}};
}

class Discovery final : public Extension {
 public:
  explicit Discovery(DiscoveryOptions options) : options_(std::move(options)) {}

  bool serves(const RequestInfo& info) const override {
    if (info.is_resource) return false;
    const auto parts = segments(info.path);
    if (parts.empty()) return true;
    if (parts.front() == "version") return parts.size() == 1;
    return (parts.front() == "api" && parts.size() <= 2) ||
           (parts.front() == "apis" && parts.size() <= 3);
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    const auto& method = exchange.request().method;
    if (method != "GET" && method != "HEAD") {
      const Error error(Code::method_not_allowed,
                        "the server does not allow this method on the requested resource");
      co_await respond_error(exchange, error);
      co_return;
    }
    const auto parts = segments(info.path);
    const bool core = !parts.empty() && parts.front() == "api";
    const bool named = !parts.empty() && parts.front() == "apis";
    const auto aggregated = wants_aggregated(exchange.request().headers.get("accept"));
    if ((core || named) && parts.size() == 1 && aggregated) {
      co_await serve_aggregated(exchange, core ? GroupSet::core : GroupSet::named, *aggregated);
      co_return;
    }
    auto document = plain(parts, core, named);
    if (!document) {
      co_await respond_page_not_found(exchange);
      co_return;
    }
    if (core || named) {
      co_await respond_virtual(exchange, 200, std::move(*document));
    } else {
      co_await serve_json(exchange, std::move(*document));
    }
  }

 private:
  std::optional<json::Value> plain(const std::vector<std::string_view>& parts, bool core,
                                   bool named) const {
    if (parts.empty()) return paths_document();
    if (core) {
      if (parts.size() == 1) return api_versions_document(options_.server_address);
      return api_resources_document("", parts[1]);
    }
    if (named) {
      if (parts.size() == 1) return api_groups_document();
      if (parts.size() == 2) return api_group_document(parts[1]);
      return api_resources_document(parts[1], parts[2]);
    }
    return version_document(options_.version);
  }

  // What has no kind has no protobuf form either.
  static Task<void> serve_json(net::Exchange& exchange, json::Value document) {
    net::Headers headers;
    headers.add("Content-Type", "application/json");
    headers.add("Cache-Control", "no-cache, private");
    std::vector<Bytes> body;
    body.push_back(Bytes::concat({json::print_pretty(document), "\n"}));
    auto sent = co_await respond_bytes(exchange, 200, std::move(headers), std::move(body), false);
    (void)sent;  // a peer that has gone needs no answer
  }

  static Task<void> serve_aggregated(net::Exchange& exchange, GroupSet set, std::string version) {
    const auto& request = exchange.request();
    const std::string text = json::print(aggregated_document(set, version));
    const std::string tag = "\"" + upper(net::to_hex(net::sha512(text))) + "\"";
    net::Headers headers;
    headers.add("Content-Type",
                fmt::format("application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList",
                            version));
    headers.add("Vary", "Accept");
    headers.add("ETag", tag);
    headers.add("Cache-Control", "public");
    const bool known = request.headers.get("if-none-match") == tag;
    const bool gzip = error_output(request).gzip;
    std::vector<Bytes> nothing;
    if (known) {
      auto sent = co_await exchange.respond(304, std::move(headers), std::move(nothing));
      (void)sent;
      co_return;
    }
    std::vector<Bytes> body;
    body.push_back(Bytes::concat({text, "\n"}));
    auto sent = co_await respond_bytes(exchange, 200, std::move(headers), std::move(body), gzip);
    (void)sent;
  }

  DiscoveryOptions options_;
};

}  // namespace

std::unique_ptr<Extension> make_discovery(DiscoveryOptions options) {
  return std::make_unique<Discovery>(std::move(options));
}

}  // namespace kinglet::apiserver
