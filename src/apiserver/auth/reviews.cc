#include "apiserver/auth/reviews.h"

#include "apiserver/auth/virtual_object.h"
#include "apiserver/errors.h"
#include "base/task.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kAuthentication = "authentication.k8s.io";
constexpr std::string_view kAuthorization = "authorization.k8s.io";
constexpr size_t kAudiencesMax = 32;  // each one is a verification of its own

std::string text(const json::Value& object, std::initializer_list<std::string_view> path) {
  return std::string(json::text_at(object, path));
}

std::vector<std::string> strings(const json::Value* list) {
  std::vector<std::string> out;
  if (!list || !list->is_array()) return out;
  for (const auto& item : list->get_array())
    if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

Attributes resource_attributes(const json::Value& asked) {
  Attributes out;
  out.verb = text(asked, {"verb"});
  out.group = text(asked, {"group"});
  out.version = text(asked, {"version"});
  out.resource = text(asked, {"resource"});
  out.subresource = text(asked, {"subresource"});
  out.ns = text(asked, {"namespace"});
  out.name = text(asked, {"name"});
  // can-i get pods --all-namespaces and the like
  if (out.ns == "*") out.ns.clear();
  return out;
}

Attributes path_attributes(const json::Value& asked) {
  Attributes out;
  out.is_resource = false;
  out.verb = text(asked, {"verb"});
  out.path = text(asked, {"path"});
  return out;
}

User asked_user(const json::Value& spec) {
  User out;
  out.name = text(spec, {"user"});
  out.uid = text(spec, {"uid"});
  out.groups = strings(json::find(spec, {"groups"}));
  if (const auto* extra = json::find(spec, {"extra"}); extra && extra->is_object())
    for (const auto& item : extra->get_object()) out.extra[item.key()] = strings(&item.value());
  return out;
}

bool given(const json::Value& spec, std::string_view member) {
  const auto* value = json::find(spec, {member});
  return value && value->is_object();
}

void check_spec(std::string_view kind, const json::Value& object, const json::Value& spec,
                schema::Causes& causes) {
  const schema::Path root("spec");
  const bool resource = given(spec, "resourceAttributes"),
             path = given(spec, "nonResourceAttributes");
  if (resource && path)
    schema::add_invalid(causes, root.child("nonResourceAttributes"), nullptr,
                        "cannot be specified in combination with resourceAttributes");
  if (!resource && !path)
    schema::add_invalid(
        causes, root.child("resourceAttributes"), nullptr,
        "exactly one of nonResourceAttributes or resourceAttributes must be specified");
  if (kind != "SelfSubjectAccessReview" && text(spec, {"user"}).empty() &&
      strings(json::find(spec, {"groups"})).empty())
    schema::add_invalid(causes, root.child("user"), "",
                        "at least one of user or group must be specified");
  if (kind != "LocalSubjectAccessReview") return;
  if (path)
    schema::add_invalid(causes, root.child("nonResourceAttributes"), nullptr,
                        "disallowed on this kind of request");
  const auto ns = text(object, {"metadata", "namespace"});
  if (resource && text(spec, {"resourceAttributes", "namespace"}) != ns)
    schema::add_invalid(causes, root.child("resourceAttributes").child("namespace"),
                        json::Value(text(spec, {"resourceAttributes", "namespace"})),
                        "must match metadata.namespace");
}

Result<json::Value> access_review(const Authorizer& authorizer, const User& self,
                                  std::string_view kind, json::Value object) {
  const auto* spec = json::find(object, {"spec"});
  const json::Value none = json::Object();
  if (!spec) spec = &none;
  schema::Causes causes;
  check_spec(kind, object, *spec, causes);
  if (!causes.empty()) return schema::invalid_error(kind, kAuthorization, "", std::move(causes));

  const bool resource = given(*spec, "resourceAttributes");
  const auto attributes = resource ? resource_attributes(spec->at("resourceAttributes"))
                                   : path_attributes(spec->at("nonResourceAttributes"));
  const User user = kind == "SelfSubjectAccessReview" ? self : asked_user(*spec);
  const auto decision = authorizer.authorize(user, attributes);
  json::Object status{{"allowed", decision.allowed}};
  if (!decision.reason.empty()) status["reason"] = decision.reason;
  object.get_object()["status"] = std::move(status);
  return object;
}

Result<json::Value> rules_review(const Authorizer& authorizer, const User& user,
                                 json::Value object) {
  const auto ns = text(object, {"spec", "namespace"});
  if (ns.empty()) return Error(Code::bad_request, "no namespace on request");
  auto rules = authorizer.rules_for(user, ns);
  auto& status = rules.as_object();
  status["incomplete"] = false;
  object.get_object()["status"] = std::move(rules);
  return object;
}

class Reviews final : public Extension {
 public:
  Reviews(Authenticator& authenticator, const Authorizer& authorizer, Clock& clock)
      : authenticator_(authenticator), authorizer_(authorizer), clock_(clock) {}

  bool serves(const RequestInfo& info) const override {
    return info.resource && info.subresource.empty() &&
           (info.group == kAuthentication || info.group == kAuthorization);
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User& user) override {
    // Named copies: the request may outlive nothing of what it borrows across the waits below.
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
    if (info.verb != "create" || !info.name.empty())
      co_return method_not_supported(*info.resource, info.verb);
    const std::string group_version = info.group + "/" + info.version;
    const std::string kind(info.resource->kind);
    const std::string type(info.resource->type->name);
    KL_TRY(object, co_await read_virtual(exchange, group_version, kind, type));
    auto& metadata = json::child(object.get_object(), "metadata");
    if (kind == "LocalSubjectAccessReview" && !metadata.contains("namespace"))
      metadata["namespace"] = info.ns;
    if (kind == "SelfSubjectReview") metadata["creationTimestamp"] = rfc3339(clock_.wall());
    if (kind == "TokenReview") co_return co_await token_review(std::move(object));
    co_return answer_review(authorizer_, user, kind, info.ns, std::move(object));
  }

  Task<Result<json::Value>> token_review(json::Value object) {
    const auto token = text(object, {"spec", "token"});
    if (token.empty()) {
      schema::Causes causes;
      schema::add_invalid(causes, schema::Path("spec").child("token"), "", "must not be empty");
      co_return schema::invalid_error("TokenReview", kAuthentication, "", std::move(causes));
    }
    const auto audiences = strings(json::find(object, {"spec", "audiences"}));
    if (audiences.size() > kAudiencesMax)
      co_return Error(Code::bad_request, "more than {} audiences", kAudiencesMax);
    auto user = co_await authenticator_.authenticate_token(token, audiences);
    json::Object status;
    if (user) {
      status["authenticated"] = true;
      status["user"] = user_info(*user);
      json::Array accepted;
      for (const auto& audience : audiences) {
        std::vector<std::string> one = {audience};
        auto fits = co_await authenticator_.authenticate_token(token, std::move(one));
        if (fits) accepted.emplace_back(audience);
      }
      if (!accepted.empty()) status["audiences"] = std::move(accepted);
    } else {
      // Only services that are trusted with other people's tokens get here: they may know what is
      // wrong.
      status["user"] = json::Object();
      status["error"] = "invalid bearer token: " + user.error().message();
    }
    object.get_object()["status"] = std::move(status);
    co_return std::move(object);
  }

  Authenticator& authenticator_;
  const Authorizer& authorizer_;
  Clock& clock_;
};

}  // namespace

json::Object user_info(const User& user) {
  json::Object out{{"username", user.name}};
  if (!user.uid.empty()) out["uid"] = user.uid;
  const auto list = [](const std::vector<std::string>& items) {
    json::Array array;
    for (const auto& item : items) array.emplace_back(item);
    return array;
  };
  if (!user.groups.empty()) out["groups"] = list(user.groups);
  if (!user.extra.empty()) {
    json::Object extra;
    for (const auto& [key, values] : user.extra) extra[key] = list(values);
    out["extra"] = std::move(extra);
  }
  return out;
}

Result<json::Value> answer_review(const Authorizer& authorizer, const User& user,
                                  std::string_view kind, std::string_view ns, json::Value object) {
  if (kind == "SelfSubjectReview") {
    object.get_object()["status"] = json::Object{{"userInfo", user_info(user)}};
    return object;
  }
  if (kind == "SelfSubjectRulesReview") return rules_review(authorizer, user, std::move(object));
  if (kind == "LocalSubjectAccessReview" && json::text_at(object, {"metadata", "namespace"}) != ns)
    return Error(
        Code::bad_request,
        "the namespace of the provided object does not match the namespace sent on the request");
  return access_review(authorizer, user, kind, std::move(object));
}

std::unique_ptr<Extension> make_reviews(Authenticator& authenticator, const Authorizer& authorizer,
                                        Clock& clock) {
  return std::make_unique<Reviews>(authenticator, authorizer, clock);
}

}  // namespace kinglet::apiserver
