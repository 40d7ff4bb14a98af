#include "apiserver/auth/token_request.h"

#include "apiserver/auth/node_authorizer.h"
#include "apiserver/auth/virtual_object.h"
#include "apiserver/errors.h"
#include "base/task.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr int64_t kSecondsMin = 600, kSecondsMax = int64_t{1} << 32, kSecondsDefault = 3600;
constexpr size_t kAudiencesMax = 32;

const schema::Resource& core(std::string_view plural) {
  const auto* found = schema::find_resource("", "v1", plural);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", plural);
  return *found;
}

std::string text(const json::Value& object, std::initializer_list<std::string_view> path) {
  return std::string(json::text_at(object, path));
}

Result<void> check_duration(int64_t seconds) {
  schema::Causes causes;
  const auto path = schema::Path("spec").child("expirationSeconds");
  if (seconds < kSecondsMin)
    schema::add_invalid(causes, path, seconds, "may not specify a duration less than 10 minutes");
  if (seconds > kSecondsMax)
    schema::add_invalid(causes, path, seconds,
                        "may not specify a duration larger than 2^32 seconds");
  if (causes.empty()) return {};
  return schema::invalid_error("TokenRequest", "authentication.k8s.io", "", std::move(causes));
}

// The object that the token shall live and die with.
Result<json::Value> bound_object(const Reader& reader, const std::string& ns,
                                 const BoundObject& wanted) {
  const bool node = wanted.kind == "Node";
  const auto& resource = core(node ? "nodes" : wanted.kind == "Pod" ? "pods" : "secrets");
  KL_TRY_FN(object, reader.get(resource, node ? std::string() : ns, wanted.name));
  const auto uid = text(object, {"metadata", "uid"});
  if (!wanted.uid.empty() && wanted.uid != uid)
    return conflict_error(
        resource, wanted.name,
        fmt::format("the UID in the bound object reference ({}) does not match the UID in record. "
                    "The object might have been deleted and then recreated",
                    wanted.uid));
  return std::move(object);
}

Result<void> bind(const Reader& reader, const json::Value& reference, TokenWish& wish) {
  wish.bound.kind = text(reference, {"kind"});
  wish.bound.name = text(reference, {"name"});
  wish.bound.uid = text(reference, {"uid"});
  const auto version = text(reference, {"apiVersion"});
  const bool known =
      wish.bound.kind == "Pod" || wish.bound.kind == "Node" || wish.bound.kind == "Secret";
  if (!known || (!version.empty() && version != "v1"))
    return Error(Code::bad_request, "cannot bind token to object of type {}, Kind={}", version,
                 wish.bound.kind);
  KL_TRY_FN(object, bound_object(reader, wish.ns, wish.bound));
  wish.bound.uid = text(object, {"metadata", "uid"});
  if (wish.bound.kind != "Pod") return {};
  if (text(object, {"spec", "serviceAccountName"}) != wish.service_account)
    return Error(Code::bad_request,
                 "cannot bind token for serviceaccount \"{}\" to pod running with different "
                 "serviceaccount name.",
                 wish.service_account);
  wish.node.name = text(object, {"spec", "nodeName"});
  if (wish.node.name.empty()) return {};
  wish.node.kind = "Node";
  if (const auto node = reader.get(core("nodes"), "", wish.node.name))
    wish.node.uid = text(*node, {"metadata", "uid"});
  return {};
}

// The node authoriser has seen that some pod of the node uses the account; the token must be that
// pod's.
Result<void> check_node(const User& user, const TokenWish& wish) {
  const auto node = node_of(user);
  if (!node) return {};
  if (wish.bound.kind != "Pod")
    return forbidden_error(core("serviceaccounts"), wish.service_account,
                           "node requested token not bound to a pod");
  if (wish.node.name != *node)
    return forbidden_error(core("serviceaccounts"), wish.service_account,
                           "node requested token bound to a pod scheduled on a different node");
  return {};
}

struct Account {
  std::string ns, name;
};

// Issues what the request asks for and fills its status.
Result<json::Value> answer_token_request(const Reader& reader, ServiceAccountTokens& tokens,
                                         const User& user, const Account& account,
                                         json::Value object) {
  KL_TRY_FN(wish, token_wish(reader, user, account.ns, account.name, object));
  KL_TRY_FN(issued, tokens.issue(wish));
  auto& members = object.get_object();
  auto& metadata = json::child(members, "metadata");
  metadata["name"] = account.name;
  metadata["namespace"] = account.ns;
  auto& spec = json::child(members, "spec");
  json::Array audiences;
  for (const auto& audience : issued.audiences) audiences.emplace_back(audience);
  spec["audiences"] = std::move(audiences);
  spec["expirationSeconds"] = wish.expiration_seconds;
  members["status"] =
      json::Object{{"token", issued.token}, {"expirationTimestamp", rfc3339(issued.expires)}};
  return object;
}

class TokenRequests final : public Extension {
 public:
  TokenRequests(const Reader& reader, ServiceAccountTokens& tokens)
      : reader_(reader), tokens_(tokens) {}

  bool serves(const RequestInfo& info) const override {
    return info.resource && info.group.empty() && info.plural == "serviceaccounts" &&
           info.subresource == "token";
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User& user) override {
    auto answered = co_await answer(exchange, info, user);
    if (!answered) {
      const Error error = answered.error();
      co_await respond_error(exchange, error);
      co_return;
    }
    co_await respond_virtual(exchange, 201, std::move(*answered));
  }

 private:
  Task<Result<json::Value>> answer(net::Exchange& exchange, const RequestInfo& info,
                                   const User& user) {
    if (info.verb != "create") co_return method_not_supported(*info.resource, info.verb);
    KL_TRY(object, co_await read_virtual(exchange, "authentication.k8s.io/v1", "TokenRequest",
                                         "authentication.v1.TokenRequest"));
    co_return answer_token_request(reader_, tokens_, user, {info.ns, info.name}, std::move(object));
  }

  const Reader& reader_;
  ServiceAccountTokens& tokens_;
};

// Passes everything on but the one thing that it can do itself.
class TokenApi final : public client::Api {
 public:
  TokenApi(std::unique_ptr<client::Api> inner, const Reader& reader, ServiceAccountTokens& tokens,
           const Authorizer* authorizer, User user)
      : inner_(std::move(inner)),
        reader_(reader),
        tokens_(tokens),
        authorizer_(authorizer),
        user_(std::move(user)) {}

  Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns,
                          std::string name) override {
    return inner_->get(resource, std::move(ns), std::move(name));
  }
  Task<Result<client::ObjectList>> list(const schema::Resource& resource, std::string ns,
                                        client::ListOptions options) override {
    return inner_->list(resource, std::move(ns), std::move(options));
  }
  Task<Result<std::unique_ptr<client::Watch>>> watch(const schema::Resource& resource,
                                                     std::string ns,
                                                     client::ListOptions options) override {
    return inner_->watch(resource, std::move(ns), std::move(options));
  }
  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                             client::WriteOptions options, std::string name,
                             std::string subresource) override {
    if (resource.group.empty() && resource.plural == "serviceaccounts" && subresource == "token")
      return issue(resource, {std::move(ns), std::move(name)}, std::move(object));
    return inner_->create(resource, std::move(ns), std::move(object), std::move(options),
                          std::move(name), std::move(subresource));
  }
  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name,
                             std::string object, client::WriteOptions options,
                             std::string subresource) override {
    return inner_->update(resource, std::move(ns), std::move(name), std::move(object),
                          std::move(options), std::move(subresource));
  }
  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name,
                            client::PatchType type, std::string patch, client::WriteOptions options,
                            std::string subresource) override {
    return inner_->patch(resource, std::move(ns), std::move(name), type, std::move(patch),
                         std::move(options), std::move(subresource));
  }
  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                            client::DeleteOptions options) override {
    return inner_->remove(resource, std::move(ns), std::move(name), std::move(options));
  }

 private:
  Task<Result<Bytes>> issue(const schema::Resource& resource, Account account, std::string body) {
    Attributes a;
    a.verb = "create";
    a.version = "v1";
    a.resource = resource.plural;
    a.subresource = "token";
    a.ns = account.ns;
    a.name = account.name;
    if (authorizer_) {
      const auto decision = authorizer_->authorize(user_, a);
      if (!decision.allowed) co_return forbidden(user_, a, decision.reason);
    }
    KL_TRY(object, json::parse(body));
    if (!object.is_object()) co_return Error(Code::bad_request, "a TokenRequest is an object");
    KL_TRY(answered, answer_token_request(reader_, tokens_, user_, account, std::move(object)));
    co_return Bytes(json::print(answered));
  }

  std::unique_ptr<client::Api> inner_;
  const Reader& reader_;
  ServiceAccountTokens& tokens_;
  const Authorizer* authorizer_;
  User user_;
};

}  // namespace

std::unique_ptr<client::Api> make_token_api(std::unique_ptr<client::Api> inner,
                                            const Reader& reader, ServiceAccountTokens& tokens,
                                            const Authorizer* authorizer, User user) {
  return std::make_unique<TokenApi>(std::move(inner), reader, tokens, authorizer, std::move(user));
}

Result<TokenWish> token_wish(const Reader& reader, const User& user, const std::string& ns,
                             const std::string& account, const json::Value& request) {
  KL_TRY_FN(object, reader.get(core("serviceaccounts"), ns, account));
  TokenWish wish;
  wish.ns = ns;
  wish.service_account = account;
  wish.service_account_uid = text(object, {"metadata", "uid"});
  wish.expiration_seconds = json::int_at(request, {"spec", "expirationSeconds"}, kSecondsDefault);
  KL_CHECK_FN(check_duration(wish.expiration_seconds));
  if (const auto* list = json::find(request, {"spec", "audiences"}); list && list->is_array()) {
    if (list->get_array().size() > kAudiencesMax)
      return Error(Code::bad_request, "more than {} audiences", kAudiencesMax);
    for (const auto& item : list->get_array())
      if (item.is_string()) wish.audiences.emplace_back(item.get_string());
  }
  const auto* reference = json::find(request, {"spec", "boundObjectRef"});
  if (reference && reference->is_object()) KL_CHECK_FN(bind(reader, *reference, wish));
  KL_CHECK_FN(check_node(user, wish));
  return wish;
}

std::unique_ptr<Extension> make_token_request(const Reader& reader, ServiceAccountTokens& tokens) {
  return std::make_unique<TokenRequests>(reader, tokens);
}

}  // namespace kinglet::apiserver
