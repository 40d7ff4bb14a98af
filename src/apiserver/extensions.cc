#include "apiserver/extensions.h"

#include "apiserver/auth/reviews.h"
#include "apiserver/auth/token_request.h"
#include "apiserver/discovery/discovery.h"
#include "apiserver/discovery/openapi.h"
#include "apiserver/discovery/trust.h"
#include "apiserver/http_proxy.h"
#include "apiserver/node_proxy.h"

namespace kinglet::apiserver {

std::vector<std::unique_ptr<Extension>> make_extensions(ExtensionParts parts) {
  std::vector<std::unique_ptr<Extension>> out;
  out.push_back(make_health(parts.health));
  out.push_back(make_discovery({std::move(parts.version), std::move(parts.server_address)}));
  out.push_back(make_openapi());
  out.push_back(make_reviews(parts.authenticator, parts.authorizer, parts.clock));
  out.push_back(make_token_request(parts.reader, parts.tokens));
  out.push_back(make_node_proxy(parts.reader, parts.nodes));
  out.push_back(make_http_proxy(parts.reader, parts.clock, parts.random));
  out.push_back(make_metrics_page(parts.metrics));
  out.push_back(make_issuer_discovery(parts.tokens));
  out.push_back(make_ca_page(std::move(parts.server_ca_pem)));
  return out;
}

}  // namespace kinglet::apiserver
