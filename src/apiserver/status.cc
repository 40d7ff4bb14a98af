#include "apiserver/errors.h"
#include "apiserver/internal/negotiate.h"
#include "apiserver/request_info.h"
#include "apiserver/user.h"
#include "json/json.h"

namespace kinglet::apiserver {
namespace {

Error with_resource(Error error, const schema::Resource& resource, std::string_view name) {
  auto& details = error.mutable_details();
  details.name = name;
  details.group = resource.group;
  details.kind = resource.plural;
  return error;
}

json::Object details_of(const Error::Details& details) {
  json::Object out;
  if (!details.name.empty()) out["name"] = details.name;
  if (!details.group.empty()) out["group"] = details.group;
  if (!details.kind.empty()) out["kind"] = details.kind;
  if (!details.uid.empty()) out["uid"] = details.uid;
  if (!details.causes.empty()) {
    json::Array causes;
    for (const auto& cause : details.causes) {
      json::Object row;
      if (!cause.reason.empty()) row["reason"] = cause.reason;
      if (!cause.message.empty()) row["message"] = cause.message;
      if (!cause.field.empty()) row["field"] = cause.field;
      causes.push_back(std::move(row));
    }
    out["causes"] = std::move(causes);
  }
  if (details.retry_after_seconds > 0) out["retryAfterSeconds"] = details.retry_after_seconds;
  return out;
}

}  // namespace

Error not_found_error(const schema::Resource& resource, std::string_view name) {
  return with_resource(Error(Code::not_found, "{} \"{}\" not found", resource.qualified_, name),
                       resource, name);
}

Error already_exists_error(const schema::Resource& resource, std::string_view name) {
  return with_resource(
      Error(Code::already_exists, "{} \"{}\" already exists", resource.qualified_, name), resource,
      name);
}

Error conflict_error(const schema::Resource& resource, std::string_view name,
                     std::string_view detail) {
  if (detail.empty()) {
    detail =
        "the object has been modified; please apply your changes to the latest version and try "
        "again";
  }
  return with_resource(Error(Code::conflict, "Operation cannot be fulfilled on {} \"{}\": {}",
                             resource.qualified_, name, detail),
                       resource, name);
}

Error forbidden_error(const schema::Resource& resource, std::string_view name,
                      std::string_view detail) {
  return with_resource(
      Error(Code::forbidden, "{} \"{}\" is forbidden: {}", resource.qualified_, name, detail),
      resource, name);
}

Error internal_error(std::string_view detail) {
  Error error(Code::internal, "Internal error occurred: {}", detail);
  error.mutable_details().causes.push_back({"", std::string(detail), ""});
  return error;
}

Error method_not_supported(const schema::Resource& resource, std::string_view action) {
  return with_resource(
      Error(Code::method_not_allowed, "{} is not supported on resources of kind \"{}\"", action,
            resource.qualified_),
      resource, "");
}

Error forbidden(const User& user, const Attributes& attributes, const std::string& reason) {
  std::string text;
  if (attributes.is_resource) {
    std::string what = attributes.resource;
    if (!attributes.group.empty()) what += "." + attributes.group;
    std::string full = attributes.resource;
    if (!attributes.subresource.empty()) full += "/" + attributes.subresource;
    text = attributes.name.empty() ? fmt::format("{} is forbidden: ", what)
                                   : fmt::format("{} \"{}\" is forbidden: ", what, attributes.name);
    text += fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\" ", user.name,
                        attributes.verb, full, attributes.group);
    text += attributes.ns.empty() ? std::string("at the cluster scope")
                                  : fmt::format("in the namespace \"{}\"", attributes.ns);
  } else {
    text = fmt::format("forbidden: User \"{}\" cannot {} path \"{}\"", user.name, attributes.verb,
                       attributes.path);
  }
  if (!reason.empty()) text += ": " + reason;
  Error error(Code::forbidden, std::move(text));
  if (attributes.is_resource) {
    auto& details = error.mutable_details();
    details.name = attributes.name;
    details.group = attributes.group;
    details.kind = attributes.resource;
  }
  return error;
}

json::Value success_status(int code) {
  json::Object status = {{"kind", "Status"},
                         {"apiVersion", "v1"},
                         {"metadata", json::Object()},
                         {"status", "Success"}};
  if (code != 0) status["code"] = code;
  return status;
}

json::Value status_object(const Error& error) {
  json::Object metadata;
  if (!error.details().continue_token.empty())
    metadata["continue"] = error.details().continue_token;
  json::Object status = {
      {"kind", "Status"},    {"apiVersion", "v1"},         {"metadata", std::move(metadata)},
      {"status", "Failure"}, {"message", error.message()}, {"reason", reason_of(error.code())}};
  auto details = details_of(error.details());
  if (!details.empty()) status["details"] = std::move(details);
  status["code"] = http_status_of(error.code());
  return status;
}

Task<void> respond_error(net::Exchange& exchange, const Error& error) {
  if (exchange.started()) co_return;
  const int status = http_status_of(error.code());
  const json::Value object = status_object(error);
  const Output output = error_output(exchange.request());
  net::Headers headers;
  headers.add("Content-Type", content_type(output));
  if (error.details().retry_after_seconds > 0)
    headers.add("Retry-After", std::to_string(error.details().retry_after_seconds));
  std::vector<Bytes> body;
  body.push_back(render_value(output, object));
  auto sent = co_await exchange.respond(status, std::move(headers), std::move(body));
  (void)sent;  // a peer that has gone needs no answer
}

}  // namespace kinglet::apiserver
