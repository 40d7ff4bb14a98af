// Service-account tokens: JWTs (ES256) bound to a service account, and to a pod, node or secret
// when asked. Source: authentication/v1 TokenRequest; claims as upstream writes them
// (`kubernetes.io`).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/hooks.h"
#include "apiserver/user.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace kinglet::apiserver {

struct TokenOptions {
  std::string key_pem;                // signs; its public half verifies
  std::vector<std::string> old_keys;  // verify only (rotation)
  std::string issuer = "https://kubernetes.default.svc.cluster.local";
  std::vector<std::string> audiences = {"https://kubernetes.default.svc.cluster.local",
                                        "kubernetes"};  // of this server
};

struct BoundObject {
  std::string kind;  // "Pod", "Node", "Secret"; empty: none
  std::string name, uid;
};
struct TokenWish {
  std::string ns, service_account, service_account_uid;
  std::vector<std::string> audiences;  // empty: this server's
  int64_t expiration_seconds = 3600;
  BoundObject bound, node;  // node: where the bound pod runs
};
struct IssuedToken {
  std::string token;
  std::vector<std::string> audiences;
  WallTime expires;
};

class ServiceAccountTokens {
 public:
  ServiceAccountTokens(const Reader& reader, Clock& clock, Random& random, TokenOptions options);
  ~ServiceAccountTokens();

  Result<IssuedToken> issue(const TokenWish& wish);
  // The user of a token that is signed, in time, meant for one of `audiences` (empty: this server)
  // and whose service account and bound object still exist. Errors: unauthorized.
  Result<User> verify(const std::string& token, const std::vector<std::string>& audiences);
  // Whether it looks like one of ours at all, so that nobody else needs to try it.
  static bool looks_like_one(std::string_view token);

  const TokenOptions& options() const { return options_; }

 private:
  struct Claims;
  Result<std::shared_ptr<const Claims>> signed_claims(const std::string& token);
  Result<void> check_time(const Claims& claims) const;
  Result<void> check_objects(const Claims& claims) const;
  Result<void> check_alive(std::string_view plural, const std::string& ns,
                           const BoundObject& wanted) const;

  const Reader& reader_;
  Clock& clock_;
  Random& random_;
  TokenOptions options_;
  // Verifying a signature takes a millisecond on a small machine, and a client sends the same token
  // again and again.
  std::map<std::string, std::shared_ptr<const Claims>> verified_;  // by SHA-256 of the token
};

}  // namespace kinglet::apiserver
