// What a request says about who sends it, before anything is believed. Pure: text to values.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http.h"

namespace kinglet::apiserver {

constexpr size_t kTokenBytesMax = 16 << 10;  // a service-account token is about 1 KiB

// The bearer token of the Authorization header, or of a WebSocket's offered protocols. nullopt:
// none was sent (other schemes count as none). Errors: unauthorized (several headers, empty, too
// long or unprintable).
Result<std::optional<std::string>> bearer_token(const net::Request& request);

// Subprotocols that carry a token must never be chosen as the protocol of the connection.
bool carries_token(std::string_view subprotocol);

// The secret of a join token: the text itself, or what follows the user in
// K10<sha256>::<user>:<secret>.
std::string_view join_secret(std::string_view token);

// "abcdef.0123456789abcdef" -> id and secret. Errors: bad_request.
struct BootstrapToken {
  std::string id, secret;
};
Result<BootstrapToken> parse_bootstrap_token(std::string_view token);

// Impersonate-User and its companions; nullopt: none of these headers.
struct Impersonation {
  std::string user, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
};
// Errors: bad_request (groups without a user, two users, a key that does not decode).
Result<std::optional<Impersonation>> impersonation(const net::Request& request);

}  // namespace kinglet::apiserver
