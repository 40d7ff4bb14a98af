// Join tokens: the secret that lets a machine into the cluster, with the fingerprint of the CA that
// it must find there. Format and files as in k3s: K10<sha256 of server-ca.crt>::<user>:<secret>;
// server/token, node-token, agent-token.
#pragma once
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/random.h"
#include "base/result.h"

namespace kinglet::cluster {

struct JoinToken {
  std::string ca_hash;  // lower-case hex; empty: a bare secret, the CA cannot be checked
  std::string user;     // "server" or "node"; empty for a bare secret or a bootstrap token
  std::string secret;
};
constexpr size_t kJoinTokenBytesMax = 4096;
// Errors: bad_request (says what is wrong, never the secret).
Result<JoinToken> parse_join_token(std::string_view text);
std::string format_join_token(const JoinToken& token);
std::string ca_hash(std::string_view ca_pem);
// Whether the CA that a server shows is the one the token was made for. True for a bare secret.
bool fits_ca(const JoinToken& token, std::string_view ca_pem);

struct JoinTokens {
  std::string server_secret, agent_secret;
};
struct JoinTokenOptions {
  std::string data_dir;
  std::string server_token,
      agent_token;  // --token, --agent-token: secret or whole token; empty: the stored one, or new
};
// Reads or makes the secrets and writes the files (0600) when they differ. Without an own agent
// token the server's serves. Errors: io; invalid (a token of another cluster).
Result<JoinTokens> ensure_join_tokens(Files& files, Random& random, std::string_view ca_pem,
                                      const JoinTokenOptions& options);

}  // namespace kinglet::cluster
