// Who sends a request: client certificate, bearer token, or nobody; and on whose behalf.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/hooks.h"
#include "apiserver/user.h"
#include "base/clock.h"

namespace kinglet::apiserver {

// A secret that a group of machines shares. Accepted as it is, or as K10<sha256>::<user>:<secret>.
struct SharedToken {
  std::string secret;
  User user;
};
// The user of the cluster's join tokens: it may ask for a node's certificate and nothing else.
// `name`: "server", "agent".
User join_user(std::string_view name);

struct AuthnOptions {
  std::vector<SharedToken> shared_tokens;
  // Exactly these paths answer to nobody in particular, as user system:anonymous; everything else
  // needs a proof.
  std::vector<std::string> anonymous_paths = {"/healthz", "/livez", "/readyz", "/version",
                                              "/cacerts"};
};

// The parts outlive the authenticator. Impersonation is checked against `authorizer`.
// Errors of authenticate(): unauthorized ("Unauthorized", whatever was wrong), bad_request
// (impersonation headers that contradict each other), forbidden (impersonation not allowed).
std::unique_ptr<Authenticator> make_authenticator(const Reader& reader, Clock& clock,
                                                  const Authorizer& authorizer,
                                                  ServiceAccountTokens& tokens,
                                                  AuthnOptions options);

}  // namespace kinglet::apiserver
