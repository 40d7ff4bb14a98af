#include "client/internal/rest_api.h"

#include "client/http_api.h"
#include "json/json.h"

namespace kinglet::client {
namespace {

constexpr const char* kJson = "application/json";

// Path segments and query values: everything but unreserved characters (RFC 3986) is escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) || c == '-' || c == '.' || c == '_' || c == '~')
      out += c;
    else
      out += fmt::format("%{:02X}", u);
  }
  return out;
}

std::string path_of(const schema::Resource& resource, const std::string& ns,
                    const std::string& name, const std::string& subresource) {
  std::string path = resource.group.empty()
                         ? fmt::format("/api/{}", resource.version)
                         : fmt::format("/apis/{}/{}", resource.group, resource.version);
  if (!ns.empty()) path += "/namespaces/" + escaped(ns);
  path += fmt::format("/{}", resource.plural);
  if (!name.empty()) path += "/" + escaped(name);
  if (!subresource.empty()) path += "/" + subresource;
  return path;
}

class Query {
 public:
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    text_ += fmt::format("{}{}={}", text_.empty() ? "?" : "&", name, escaped(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

const char* content_type(PatchType type) {
  switch (type) {
    case PatchType::json:
      return "application/json-patch+json";
    case PatchType::merge:
      return "application/merge-patch+json";
    case PatchType::strategic:
      return "application/strategic-merge-patch+json";
    case PatchType::apply:
      return "application/apply-patch+yaml";
  }
  return "application/json";
}

std::string options_query(const WriteOptions& options) {
  Query query;
  query.add("fieldManager", options.field_manager);
  if (options.dry_run) query.add("dryRun", "All");
  return query.text();
}

}  // namespace

Task<Result<Bytes>> RestApi::get(const schema::Resource& resource, std::string ns,
                                 std::string name) {
  std::string target = path_of(resource, ns, name, "");
  co_return co_await send("GET", std::move(target), {}, nullptr);
}

Task<Result<ObjectList>> RestApi::list(const schema::Resource& resource, std::string ns,
                                       ListOptions options) {
  Query query;
  query.add("labelSelector", options.label_selector);
  query.add("fieldSelector", options.field_selector);
  query.add("continue", options.continue_token);
  if (options.limit != 0) query.add("limit", std::to_string(options.limit));
  if (options.revision != 0) query.add("resourceVersion", std::to_string(options.revision));
  std::string target = path_of(resource, ns, "", "") + query.text();
  KL_TRY(body, co_await send("GET", std::move(target), {}, nullptr));
  KL_TRY(document, json::parse(body.view()));
  ObjectList out;
  out.continue_token = json::text_at(document, {"metadata", "continue"});
  out.revision = std::strtoull(
      std::string(json::text_at(document, {"metadata", "resourceVersion"})).c_str(), nullptr, 10);
  const json::Value* items = json::find(document, {"items"});
  if (items == nullptr || !items->is_array())
    co_return Error(Code::internal, "the answer is not a list");
  for (const auto& item : items->as_array()) {
    if (!item.is_object()) co_return Error(Code::internal, "the answer is not a list of objects");
    json::Object object;  // items of a list do not say what they are
    object["kind"] = resource.kind;
    object["apiVersion"] = resource.group_version();
    for (const auto& [key, value] : item.as_object()) object[key] = value;
    out.items.emplace_back(json::print(json::Value(std::move(object))));
  }
  co_return out;
}

Task<Result<Bytes>> RestApi::create(const schema::Resource& resource, std::string ns,
                                    std::string object, WriteOptions options, std::string name,
                                    std::string subresource) {
  std::string target = path_of(resource, ns, name, subresource) + options_query(options);
  co_return co_await send("POST", std::move(target), std::move(object), kJson);
}

Task<Result<Bytes>> RestApi::update(const schema::Resource& resource, std::string ns,
                                    std::string name, std::string object, WriteOptions options,
                                    std::string subresource) {
  std::string target = path_of(resource, ns, name, subresource) + options_query(options);
  co_return co_await send("PUT", std::move(target), std::move(object), kJson);
}

Task<Result<Bytes>> RestApi::patch(const schema::Resource& resource, std::string ns,
                                   std::string name, PatchType type, std::string patch,
                                   WriteOptions options, std::string subresource) {
  std::string target = path_of(resource, ns, name, subresource) + options_query(options);
  co_return co_await send("PATCH", std::move(target), std::move(patch), content_type(type));
}

Task<Result<void>> RestApi::remove(const schema::Resource& resource, std::string ns,
                                   std::string name, DeleteOptions options) {
  json::Object body, preconditions;
  body["kind"] = "DeleteOptions";
  body["apiVersion"] = "v1";
  if (options.grace_seconds) body["gracePeriodSeconds"] = *options.grace_seconds;
  if (!options.uid.empty()) preconditions["uid"] = options.uid;
  if (options.revision != 0) preconditions["resourceVersion"] = std::to_string(options.revision);
  if (!preconditions.empty()) body["preconditions"] = std::move(preconditions);
  constexpr const char* kPolicies[] = {nullptr, "Background", "Foreground", "Orphan"};
  if (const char* policy = kPolicies[static_cast<int>(options.propagation)])
    body["propagationPolicy"] = policy;
  std::string text = json::print(json::Value(std::move(body)));
  std::string target = path_of(resource, ns, name, "");
  const auto removed = co_await send("DELETE", std::move(target), std::move(text), kJson);
  if (!removed) co_return removed.error();
  co_return Result<void>();
}

std::string watch_target(const schema::Resource& resource, const std::string& ns,
                         const ListOptions& options) {
  Query query;
  query.add("labelSelector", options.label_selector);
  query.add("fieldSelector", options.field_selector);
  if (options.revision != 0) query.add("resourceVersion", std::to_string(options.revision));
  query.add("watch", "true");
  query.add("allowWatchBookmarks", "true");
  return path_of(resource, ns, "", "") + query.text();
}

Error error_of_status(int status, std::string_view body) {
  const auto document = json::parse(body);
  const std::string reason(document ? json::text_at(*document, {"reason"}) : "");
  const std::string message(document ? json::text_at(*document, {"message"}) : "");
  Code by_status = Code::internal;
  for (int i = 0; i <= static_cast<int>(Code::io); ++i) {
    const auto code = static_cast<Code>(i);
    if (!reason.empty() && reason == reason_of(code) && http_status_of(code) == status)
      return Error(code, message);
    if (http_status_of(code) == status && by_status == Code::internal) by_status = code;
  }
  return Error(by_status,
               message.empty() ? fmt::format("the server answered {}", status) : message);
}

}  // namespace kinglet::client
