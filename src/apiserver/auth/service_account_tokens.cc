#include "apiserver/auth/service_account_tokens.h"

#include "net/crypto.h"
#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kVerifiedMax = 128;  // about 1 KiB each; beyond it all are forgotten
// How long after its deletion time a bound object still vouches for tokens, so that a pod can use
// its own while it shuts down (upstream's value).
constexpr auto kDeletedGrace = std::chrono::seconds(60);
// The kubelet asks for this many seconds; clients that never read the token again get a year, with
// a note of when the token would have ended.
constexpr int64_t kKubeletSeconds = 3607, kExtendedSeconds = 365 * 24 * 3600;

int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.since_epoch).count();
}
WallTime wall(int64_t seconds_since_epoch) {
  return WallTime{std::chrono::seconds(seconds_since_epoch)};
}

bool has(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

json::Object reference(const BoundObject& object) {
  json::Object out{{"name", object.name}};
  if (!object.uid.empty()) out["uid"] = object.uid;
  return out;
}

BoundObject bound_at(const json::Value& kubernetes, std::string_view member, const char* kind) {
  if (!json::find(kubernetes, {member})) return {};
  return {kind, std::string(json::text_at(kubernetes, {member, "name"})),
          std::string(json::text_at(kubernetes, {member, "uid"}))};
}

Error refused(const char* why) { return Error(Code::unauthorized, why); }

}  // namespace

struct ServiceAccountTokens::Claims {
  std::string ns, id;
  BoundObject service_account, pod, node, secret;
  std::vector<std::string> audiences;
  int64_t expires = 0;
};

ServiceAccountTokens::ServiceAccountTokens(const Reader& reader, Clock& clock, Random& random,
                                           TokenOptions options)
    : reader_(reader), clock_(clock), random_(random), options_(std::move(options)) {}
ServiceAccountTokens::~ServiceAccountTokens() = default;

Result<IssuedToken> ServiceAccountTokens::issue(const TokenWish& wish) {
  const int64_t now = seconds(clock_.wall());
  const auto& audiences = wish.audiences.empty() ? options_.audiences : wish.audiences;
  const bool ours = std::all_of(audiences.begin(), audiences.end(), [&](const auto& audience) {
    return has(options_.audiences, audience);
  });
  const bool extend =
      ours && wish.expiration_seconds == kKubeletSeconds && wish.bound.kind == "Pod";

  json::Object kubernetes{
      {"namespace", wish.ns},
      {"serviceaccount", reference({"", wish.service_account, wish.service_account_uid})}};
  if (wish.bound.kind == "Pod") kubernetes["pod"] = reference(wish.bound);
  if (wish.bound.kind == "Secret") kubernetes["secret"] = reference(wish.bound);
  if (wish.bound.kind == "Node") kubernetes["node"] = reference(wish.bound);
  if (!wish.node.name.empty()) kubernetes["node"] = reference(wish.node);
  if (extend) kubernetes["warnafter"] = now + wish.expiration_seconds;

  json::Array audience_list;
  for (const auto& audience : audiences) audience_list.emplace_back(audience);
  const int64_t claimed_end = now + (extend ? kExtendedSeconds : wish.expiration_seconds);
  const json::Object claims{
      {"aud", std::move(audience_list)},
      {"exp", claimed_end},
      {"iat", now},
      {"iss", options_.issuer},
      {"jti", random_.uuid()},
      {"kubernetes.io", std::move(kubernetes)},
      {"nbf", now},
      {"sub", fmt::format("system:serviceaccount:{}:{}", wish.ns, wish.service_account)},
  };
  KL_TRY_FN(token, net::jwt_sign(options_.key_pem, claims));
  // Whoever asked is told the time that it asked for, so that it renews in time.
  return IssuedToken{std::move(token), audiences, wall(now + wish.expiration_seconds)};
}

bool ServiceAccountTokens::looks_like_one(std::string_view token) {
  return std::count(token.begin(), token.end(), '.') == 2;
}

Result<std::shared_ptr<const ServiceAccountTokens::Claims>> ServiceAccountTokens::signed_claims(
    const std::string& token) {
  auto digest = net::sha256(token);
  if (const auto found = verified_.find(digest); found != verified_.end()) return found->second;

  auto jwt = net::jwt_verify(options_.key_pem, token);
  for (const auto& key : options_.old_keys) {
    if (jwt) break;
    jwt = net::jwt_verify(key, token);
  }
  if (!jwt) return refused("the token's signature is not ours");
  const auto& all = jwt->claims;
  if (json::text_at(all, {"iss"}) != options_.issuer)
    return refused("the token has another issuer");
  const auto* kubernetes = json::find(all, {"kubernetes.io"});
  if (!kubernetes) return refused("the token is of no service account");

  auto claims = std::make_shared<Claims>();
  claims->ns = json::text_at(*kubernetes, {"namespace"});
  claims->id = json::text_at(all, {"jti"});
  claims->service_account = bound_at(*kubernetes, "serviceaccount", "ServiceAccount");
  claims->pod = bound_at(*kubernetes, "pod", "Pod");
  claims->node = bound_at(*kubernetes, "node", "Node");
  claims->secret = bound_at(*kubernetes, "secret", "Secret");
  claims->expires = json::int_at(all, {"exp"});
  if (const auto* audiences = json::find(all, {"aud"}); audiences && audiences->is_array())
    for (const auto& audience : audiences->get_array())
      if (audience.is_string()) claims->audiences.emplace_back(audience.get_string());
  if (claims->ns.empty() || claims->service_account.name.empty() ||
      claims->service_account.uid.empty())
    return refused("the token names no service account");
  if (json::text_at(all, {"sub"}) !=
      fmt::format("system:serviceaccount:{}:{}", claims->ns, claims->service_account.name))
    return refused("the token contradicts itself");

  if (verified_.size() >= kVerifiedMax) verified_.clear();
  verified_.emplace(std::move(digest), claims);
  return std::shared_ptr<const Claims>(std::move(claims));
}

// `nbf` is not looked at: only this cluster signs, and a machine without a battery-backed clock may
// wake up before the time of its own tokens.
Result<void> ServiceAccountTokens::check_time(const Claims& claims) const {
  if (seconds(clock_.wall()) >= claims.expires) return refused("the token has expired");
  return {};
}

Result<void> ServiceAccountTokens::check_alive(std::string_view plural, const std::string& ns,
                                               const BoundObject& wanted) const {
  const auto* resource = schema::find_resource("", "v1", plural);
  KL_ASSERT(resource != nullptr);
  const auto object = reader_.get(*resource, ns, wanted.name);
  if (!object)
    return refused("the service account or object that the token is bound to does not exist");
  if (json::text_at(*object, {"metadata", "uid"}) != wanted.uid)
    return refused("the service account or object that the token is bound to was replaced");
  const std::string deleted(json::text_at(*object, {"metadata", "deletionTimestamp"}));
  if (deleted.empty()) return {};
  const auto when = parse_rfc3339(deleted);
  if (!when || clock_.wall().since_epoch > when->since_epoch + kDeletedGrace)
    return refused("the service account or object that the token is bound to has been deleted");
  return {};
}

Result<void> ServiceAccountTokens::check_objects(const Claims& claims) const {
  KL_CHECK_FN(check_alive("serviceaccounts", claims.ns, claims.service_account));
  if (!claims.secret.kind.empty()) KL_CHECK_FN(check_alive("secrets", claims.ns, claims.secret));
  if (!claims.pod.kind.empty()) {
    KL_CHECK_FN(check_alive("pods", claims.ns, claims.pod));
    return {};  // its node is named for information only
  }
  if (!claims.node.kind.empty()) KL_CHECK_FN(check_alive("nodes", "", claims.node));
  return {};
}

Result<User> ServiceAccountTokens::verify(const std::string& token,
                                          const std::vector<std::string>& audiences) {
  KL_TRY_FN(claims, signed_claims(token));
  const auto& wanted = audiences.empty() ? options_.audiences : audiences;
  const bool meant = std::any_of(wanted.begin(), wanted.end(), [&](const auto& audience) {
    return has(claims->audiences, audience);
  });
  if (!meant) return refused("the token is for another audience");
  KL_CHECK_FN(check_time(*claims));
  KL_CHECK_FN(check_objects(*claims));

  User user;
  user.name = fmt::format("system:serviceaccount:{}:{}", claims->ns, claims->service_account.name);
  user.uid = claims->service_account.uid;
  user.groups = {"system:serviceaccounts", "system:serviceaccounts:" + claims->ns,
                 "system:authenticated"};
  const auto note = [&user](const char* key, const std::string& value) {
    if (!value.empty()) user.extra[std::string("authentication.kubernetes.io/") + key] = {value};
  };
  if (!claims->id.empty()) note("credential-id", "JTI=" + claims->id);
  note("pod-name", claims->pod.name);
  note("pod-uid", claims->pod.uid);
  note("node-name", claims->node.name);
  note("node-uid", claims->node.uid);
  return user;
}

}  // namespace kinglet::apiserver
