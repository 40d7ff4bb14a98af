#include "apiserver/discovery/trust.h"

#include "base/task.h"
#include "net/crypto.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kConfigurationPath = "/.well-known/openid-configuration";
constexpr std::string_view kKeysPath = "/openid/v1/jwks";

json::Value configuration(const TokenOptions& options) {
  return json::Object{{"issuer", options.issuer},
                      {"jwks_uri", options.issuer + std::string(kKeysPath)},
                      {"response_types_supported", json::Array{json::Value("id_token")}},
                      {"subject_types_supported", json::Array{json::Value("public")}},
                      {"id_token_signing_alg_values_supported", json::Array{json::Value("ES256")}}};
}

class IssuerDiscovery final : public Extension {
 public:
  explicit IssuerDiscovery(const ServiceAccountTokens& tokens) : tokens_(tokens) {}
  bool serves(const RequestInfo& info) const override {
    return info.path == kConfigurationPath || info.path == kKeysPath;
  }
  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    const auto& options = tokens_.options();
    json::Value document = configuration(options);
    std::string type = "application/json";
    if (info.path == kKeysPath) {
      std::vector<std::string> keys = {options.key_pem};
      keys.insert(keys.end(), options.old_keys.begin(), options.old_keys.end());
      auto set = net::jwks(keys);
      if (!set) {
        const Error error = set.error();
        co_await respond_error(exchange, error);
        co_return;
      }
      document = std::move(*set);
      type = "application/jwk-set+json";
    }
    net::Headers headers;
    headers.add("Content-Type", std::move(type));
    headers.add("Cache-Control", "public, max-age=3600");
    std::vector<Bytes> body;
    body.emplace_back(json::print(document));
    auto sent = co_await exchange.respond(200, std::move(headers), std::move(body));
    (void)sent;  // a peer that has gone needs no answer
  }

 private:
  const ServiceAccountTokens& tokens_;
};

class CaPage final : public Extension {
 public:
  explicit CaPage(std::string pem) : pem_(std::move(pem)) {}
  bool serves(const RequestInfo& info) const override { return info.path == "/cacerts"; }
  Task<void> serve(net::Exchange& exchange, const RequestInfo&, const User&) override {
    std::string text = pem_;
    std::string type = "text/plain; charset=utf-8";
    auto sent = co_await net::respond_text(exchange, 200, std::move(text), std::move(type));
    (void)sent;
  }

 private:
  std::string pem_;
};

}  // namespace

std::unique_ptr<Extension> make_issuer_discovery(const ServiceAccountTokens& tokens) {
  return std::make_unique<IssuerDiscovery>(tokens);
}
std::unique_ptr<Extension> make_ca_page(std::string server_ca_pem) {
  return std::make_unique<CaPage>(std::move(server_ca_pem));
}

}  // namespace kinglet::apiserver
