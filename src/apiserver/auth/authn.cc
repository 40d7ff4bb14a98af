#include "apiserver/auth/authn.h"

#include "apiserver/auth/bearer.h"
#include "base/log.h"
#include "base/task.h"
#include "net/crypto.h"
#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

constexpr const char* kAuthenticated = "system:authenticated";
constexpr const char* kUnauthenticated = "system:unauthenticated";
constexpr const char* kAnonymous = "system:anonymous";
constexpr std::string_view kServiceAccountPrefix = "system:serviceaccount:";
constexpr std::string_view kBootstrapGroupPrefix = "system:bootstrappers:";

void add_group(User& user, const std::string& group) {
  if (!user.in_group(group)) user.groups.push_back(group);
}

Attributes impersonate(std::string group, std::string resource, std::string name) {
  Attributes out;
  out.verb = "impersonate";
  out.group = std::move(group);
  out.version = "v1";
  out.resource = std::move(resource);
  out.name = std::move(name);
  return out;
}

// Namespace and name of system:serviceaccount:<ns>:<name>.
std::optional<std::pair<std::string, std::string>> service_account(std::string_view user) {
  if (!user.starts_with(kServiceAccountPrefix)) return std::nullopt;
  user.remove_prefix(kServiceAccountPrefix.size());
  const auto colon = user.find(':');
  if (colon == user.npos || colon == 0 || colon + 1 == user.size()) return std::nullopt;
  if (user.find(':', colon + 1) != user.npos) return std::nullopt;
  return std::pair(std::string(user.substr(0, colon)), std::string(user.substr(colon + 1)));
}

class Chain final : public Authenticator {
 public:
  Chain(const Reader& reader, Clock& clock, const Authorizer& authorizer,
        ServiceAccountTokens& tokens, AuthnOptions options)
      : reader_(reader),
        clock_(clock),
        authorizer_(authorizer),
        tokens_(tokens),
        options_(std::move(options)) {}

  Task<Result<User>> authenticate(const net::Request& request) override {
    co_return identify(request);
  }

  Task<Result<User>> authenticate_token(std::string token,
                                        std::vector<std::string> audiences) override {
    co_return by_token(token, audiences);
  }

 private:
  Result<User> identify(const net::Request& request) {
    auto user = by_proof(request);
    if (!user) {
      Log("authn").debug("request refused", kv("peer", request.peer.address),
                         kv("error", user.error()));
      return Error(Code::unauthorized,
                   "Unauthorized");  // what was wrong with it is nobody's business
    }
    KL_TRY_FN(other, impersonation(request));
    if (!other) return user;
    return become(*user, *other);
  }

  Result<User> by_proof(const net::Request& request) {
    const auto& peer = request.peer;
    if (peer.certificate_verified && !peer.common_name.empty()) {
      User user{peer.common_name, "", peer.organizations, {}};
      add_group(user, kAuthenticated);
      return user;
    }
    KL_TRY_FN(token, bearer_token(request));
    if (token) return by_token(*token, {});
    return anonymous(request);
  }

  Result<User> anonymous(const net::Request& request) const {
    const auto& open = options_.anonymous_paths;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (!reads || std::find(open.begin(), open.end(), request.path) == open.end())
      return Error(Code::unauthorized, "no credentials");
    return User{kAnonymous, "", {kUnauthenticated}, {}};
  }

  Result<User> by_token(const std::string& token, const std::vector<std::string>& audiences) {
    if (token.empty() || token.size() > kTokenBytesMax)
      return Error(Code::unauthorized, "bad token length");
    if (ServiceAccountTokens::looks_like_one(token)) return tokens_.verify(token, audiences);
    // The other kinds are for this server only.
    const auto& ours = tokens_.options().audiences;
    const bool for_us =
        audiences.empty() || std::any_of(audiences.begin(), audiences.end(), [&](const auto& a) {
          return std::find(ours.begin(), ours.end(), a) != ours.end();
        });
    if (!for_us) return Error(Code::unauthorized, "the token is for another audience");
    if (const auto user = by_shared_token(token)) return *user;
    return by_bootstrap_token(token);
  }

  std::optional<User> by_shared_token(const std::string& token) const {
    const auto secret = join_secret(token);
    std::optional<User> found;
    // All are compared, so that the time taken tells nothing.
    for (const auto& shared : options_.shared_tokens)
      if (!shared.secret.empty() && net::equal_constant_time(secret, shared.secret))
        found = shared.user;
    if (found) add_group(*found, kAuthenticated);
    return found;
  }

  static std::string data_of(const json::Value& secret, std::string_view key) {
    const auto value = net::from_base64(json::text_at(secret, {"data", key}));
    return value ? *value : std::string();
  }

  Result<User> by_bootstrap_token(const std::string& token) const {
    const auto parsed = parse_bootstrap_token(token);
    if (!parsed) return Error(Code::unauthorized, "the token is of no known kind");
    const auto* secrets = schema::find_resource("", "v1", "secrets");
    KL_ASSERT(secrets != nullptr);
    const auto secret = reader_.get(*secrets, "kube-system", "bootstrap-token-" + parsed->id);
    if (!secret || json::text_at(*secret, {"type"}) != "bootstrap.kubernetes.io/token" ||
        json::find(*secret, {"metadata", "deletionTimestamp"}) ||
        data_of(*secret, "token-id") != parsed->id ||
        data_of(*secret, "usage-bootstrap-authentication") != "true")
      return Error(Code::unauthorized, "no such bootstrap token");
    if (!net::equal_constant_time(data_of(*secret, "token-secret"), parsed->secret))
      return Error(Code::unauthorized, "the bootstrap token's secret differs");
    const auto expiration = data_of(*secret, "expiration");
    if (!expiration.empty()) {
      const auto when = parse_rfc3339(expiration);
      if (!when || clock_.wall() >= *when)
        return Error(Code::unauthorized, "the bootstrap token has expired");
    }
    User user{"system:bootstrap:" + parsed->id, "", {"system:bootstrappers", kAuthenticated}, {}};
    add_extra_groups(data_of(*secret, "auth-extra-groups"), user);
    return user;
  }

  static void add_extra_groups(std::string_view list, User& user) {
    while (!list.empty()) {
      const auto comma = list.find(',');
      const auto group = list.substr(0, comma);
      list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
      // Whoever may write Secrets in kube-system must not thereby make members of system:masters.
      if (group.starts_with(kBootstrapGroupPrefix)) add_group(user, std::string(group));
    }
  }

  Result<void> may(const User& user, const Attributes& attributes) const {
    const auto decision = authorizer_.authorize(user, attributes);
    if (!decision.allowed) return forbidden(user, attributes, decision.reason);
    return {};
  }

  // Every part of the other identity is asked for by itself.
  Result<User> become(const User& user, const Impersonation& other) const {
    User out{other.user, other.uid, other.groups, other.extra};
    const auto account = service_account(other.user);
    if (account) {
      auto attributes = impersonate("", "serviceaccounts", account->second);
      attributes.ns = account->first;
      KL_CHECK_FN(may(user, attributes));
      if (other.groups.empty())
        out.groups = {"system:serviceaccounts", "system:serviceaccounts:" + account->first};
    } else {
      KL_CHECK_FN(may(user, impersonate("", "users", other.user)));
    }
    for (const auto& group : other.groups) KL_CHECK_FN(may(user, impersonate("", "groups", group)));
    if (!other.uid.empty())
      KL_CHECK_FN(may(user, impersonate("authentication.k8s.io", "uids", other.uid)));
    for (const auto& [key, values] : other.extra) {
      for (const auto& value : values) {
        auto attributes = impersonate("authentication.k8s.io", "userextras", value);
        attributes.subresource = key;
        KL_CHECK_FN(may(user, attributes));
      }
    }
    if (out.name == kAnonymous) {
      add_group(out, kUnauthenticated);
    } else if (!out.in_group(kUnauthenticated)) {
      add_group(out, kAuthenticated);
    }
    return out;
  }

  const Reader& reader_;
  Clock& clock_;
  const Authorizer& authorizer_;
  ServiceAccountTokens& tokens_;
  AuthnOptions options_;
};

}  // namespace

User join_user(std::string_view name) {
  return {fmt::format("system:bootstrap:{}", name),
          "",
          {"system:bootstrappers", fmt::format("system:bootstrappers:kinglet:{}", name)},
          {}};
}

std::unique_ptr<Authenticator> make_authenticator(const Reader& reader, Clock& clock,
                                                  const Authorizer& authorizer,
                                                  ServiceAccountTokens& tokens,
                                                  AuthnOptions options) {
  return std::make_unique<Chain>(reader, clock, authorizer, tokens, std::move(options));
}

}  // namespace kinglet::apiserver
