// What a registry says when it wants to know who asks, and how to answer. Pure.
// Sources: RFC 9110, section 11 (challenges); distribution's token specification.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/runtime/registry_config.h"

namespace kinglet::runtime {

struct AuthChallenge {
  std::string scheme;  // lower case: "basic", "bearer"
  std::map<std::string, std::string>
      parameters;  // names in lower case: realm, service, scope, error
};
// One WWW-Authenticate header, which may hold several. What cannot be read is left out.
std::vector<AuthChallenge> parse_challenges(std::string_view header);

std::string basic_authorization(const RegistryCredential& credential);  // "Basic ..."

// The request that fetches a token: GET with the user's name and password, or POST with a refresh
// token.
struct TokenRequest {
  std::string method, url, authorization, body;
};
// Errors: invalid (no realm, or one that is no URL).
Result<TokenRequest> token_request(const AuthChallenge& challenge,
                                   const RegistryCredential& credential);
// Errors: unauthorized (no token in it).
Result<std::string> parse_token(std::string_view answer);

}  // namespace kinglet::runtime
