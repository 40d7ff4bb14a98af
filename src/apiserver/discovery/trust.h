// What others need to trust this cluster: the keys of service-account tokens (OpenID discovery) and
// the server CA.
#pragma once
#include <memory>
#include <string>

#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/request_info.h"

namespace kinglet::apiserver {

// /.well-known/openid-configuration, /openid/v1/jwks. `tokens` outlives it.
std::unique_ptr<Extension> make_issuer_discovery(const ServiceAccountTokens& tokens);
// /cacerts: the server CA, for a machine that holds a join token and checks it against the token's
// fingerprint.
std::unique_ptr<Extension> make_ca_page(std::string server_ca_pem);

}  // namespace kinglet::apiserver
