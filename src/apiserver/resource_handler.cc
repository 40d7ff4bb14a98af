#include "apiserver/internal/resource_handler.h"

#include "apiserver/errors.h"
#include "apiserver/internal/body_writer.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/write_query.h"
#include "apiserver/server.h"
#include "base/deadline.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

Error no_such_method() {
  return Error(Code::method_not_allowed,
               "the server does not allow this method on the requested resource");
}
Error no_such_resource() {
  return Error(Code::not_found, "the server could not find the requested resource");
}

ResourceName name_of(const RequestInfo& info) {
  return {info.resource, object_namespace(info), info.name, info.subresource};
}

Task<Result<std::string>> body_of(net::Exchange& exchange) {
  auto body = co_await exchange.read_body(kBodyBytesMax);
  if (body.is(Code::too_large))
    co_return Error(Code::too_large, "Request entity too large: limit is {}", kBodyBytesMax);
  co_return std::move(body);
}

Task<Result<void>> send(net::Exchange& exchange, const Renderer& renderer, int status,
                        std::vector<Bytes> body, const std::vector<std::string>& warnings) {
  net::Headers headers;
  headers.add("Content-Type", content_type(renderer.output()));
  for (auto& text : warning_headers(warnings)) headers.add("Warning", std::move(text));
  co_return co_await respond_bytes(exchange, status, std::move(headers), std::move(body),
                                   renderer.output().gzip);
}

class ResourceRequest {
 public:
  ResourceRequest(Serving serving, net::Exchange& exchange, const RequestInfo& info,
                  const User& user)
      : serving_(serving),
        exchange_(exchange),
        request_(exchange.request()),
        info_(info),
        user_(user) {}

  Task<Result<void>> get() {
    KL_TRY(renderer, renderer_for(serving_, request_, *info_.resource, {.transforms = true}));
    if (const auto* text = request_.query_value("resourceVersion"); text && !text->empty()) {
      KL_TRY(revision, parse_revision(*text));
      KL_CHECK(co_await wait_for_revision(serving_.registry.store(), serving_.clock,
                                          revision.value_or(0)));
    } else {
      KL_CHECK(co_await serving_.registry.store().barrier());
    }
    KL_TRY(entry, serving_.registry.read(name_of(info_)));
    if (info_.subresource == "scale") {
      KL_TRY(object, json::parse(entry->value.view()));
      KL_TRY(scale, scale_of(*info_.resource, object));
      KL_TRY(body, renderer.document(Bytes(json::print(scale))));
      co_return co_await send(exchange_, renderer, 200, std::move(body), {});
    }
    KL_TRY(body, renderer.document(entry));
    co_return co_await send(exchange_, renderer, 200, std::move(body), {});
  }

  Task<Result<void>> list() {
    KL_TRY(renderer,
           renderer_for(serving_, request_, *info_.resource, {.list = true, .transforms = true}));
    KL_TRY(query, list_query(request_, *info_.resource, false));
    KL_TRY(listing, co_await list_entries(serving_.registry.store(), serving_.clock,
                                          *info_.resource, object_namespace(info_), query));
    co_return co_await send_list(renderer, listing);
  }

  Task<Result<void>> create() {
    KL_TRY(renderer, renderer_for(serving_, request_, *info_.resource, {.transforms = true}));
    KL_TRY(options, create_options(request_, "CreateOptions"));
    KL_TRY(body, co_await json_body(options));
    KL_TRY(out, co_await serving_.registry.create(user_, name_of(info_), std::move(body),
                                                  std::move(options)));
    co_return co_await answer(renderer, out);
  }

  Task<Result<void>> update() {
    KL_TRY(renderer, renderer_for(serving_, request_, *info_.resource, {.transforms = true}));
    KL_TRY(options, create_options(request_, "UpdateOptions"));
    KL_TRY(body, co_await json_body(options));
    KL_TRY(out, co_await serving_.registry.update(user_, name_of(info_), std::move(body),
                                                  std::move(options)));
    co_return co_await answer(renderer, out);
  }

  Task<Result<void>> patch() {
    KL_TRY(renderer, renderer_for(serving_, request_, *info_.resource, {.transforms = true}));
    PatchOptions options;
    KL_TRY(type, patch_type(request_.headers.get("content-type")));
    KL_TRY(common, create_options(request_, "PatchOptions"));
    static_cast<CreateOptions&>(options) = std::move(common);
    options.type = type;
    const auto* force = request_.query_value("force");
    options.force = force && (*force == "true" || *force == "1");
    KL_TRY(body, co_await body_of(exchange_));
    KL_TRY(out, co_await serving_.registry.patch(user_, name_of(info_), std::move(body),
                                                 std::move(options)));
    co_return co_await answer(renderer, out);
  }

  Task<Result<void>> remove() {
    KL_TRY(renderer, renderer_for(serving_, request_, *info_.resource, {.transforms = true}));
    KL_TRY(options, co_await delete_body());
    KL_TRY(out, co_await serving_.registry.remove(user_, name_of(info_), options));
    co_return co_await answer(renderer, out);
  }

  Task<Result<void>> remove_collection() {
    if (!info_.resource->has_verb("deletecollection")) co_return no_such_method();
    KL_TRY(renderer,
           renderer_for(serving_, request_, *info_.resource, {.list = true, .transforms = true}));
    KL_TRY(query, list_query(request_, *info_.resource, false));
    KL_TRY(options, co_await delete_body());
    KL_TRY(listing, co_await list_entries(serving_.registry.store(), serving_.clock,
                                          *info_.resource, object_namespace(info_), query));
    for (const auto& entry : listing.entries) {
      const auto key = parse_key(entry->key, *info_.resource);
      const ResourceName name{info_.resource, key.first, key.second, ""};
      auto gone = co_await serving_.registry.remove(user_, name, options);
      if (!gone && !gone.is(Code::not_found)) co_return std::move(gone.error());
    }
    co_return co_await send_list(renderer, listing);
  }

 private:
  static std::pair<std::string, std::string> parse_key(std::string_view key,
                                                       const schema::Resource& resource) {
    const auto prefix = store_prefix(resource);
    const auto rest = key.substr(std::min(key.size(), prefix.size()));
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {"", std::string(rest)};
    return {std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
  }

  Task<Result<std::string>> json_body(CreateOptions& options) {
    KL_TRY(body, co_await body_of(exchange_));
    co_return body_to_json(request_.headers.get("content-type"), std::move(body),
                           &options.duplicates);
  }

  Task<Result<DeleteOptions>> delete_body() {
    KL_TRY(body, co_await body_of(exchange_));
    if (body.empty()) co_return delete_options_of(delete_query(request_));
    KL_TRY(text, body_to_json(request_.headers.get("content-type"), std::move(body), nullptr));
    auto value = json::parse(text);
    if (!value || !value->is_object()) {
      co_return Error(Code::bad_request,
                      "the object provided is unrecognized (must be of type DeleteOptions): {}",
                      value ? "not an object" : value.error().message());
    }
    KL_TRY(options, delete_options_of(*value));
    const auto* dry = request_.query_value("dryRun");
    if (dry && *dry == "All") options.dry_run = true;
    co_return options;
  }

  Task<Result<void>> answer(const Renderer& renderer, const Written& out) {
    KL_TRY(body, renderer.document(out.object));
    co_return co_await send(exchange_, renderer, out.created ? 201 : 200, std::move(body),
                            out.warnings);
  }

  // Canonical items go straight into the chunks; other media and layouts need the whole document
  // first.
  Task<Result<void>> send_list(const Renderer& renderer, const Listing& listing) {
    const auto& output = renderer.output();
    net::Headers headers;
    headers.add("Content-Type", content_type(output));
    const bool whole = output.media != Media::json || output.pretty;
    BodyWriter writer(exchange_, 200, headers, output.gzip);
    auto& buffer = writer.buffer();
    buffer = renderer.list_head(listing);
    bool first = true;
    for (const auto& entry : listing.entries) {
      if (!first) buffer += ',';
      first = false;
      const auto added = renderer.append_item(buffer, entry);
      if (!added) co_return writer_failed(added.error());
      if (!whole && writer.full()) KL_CHECK(co_await writer.flush());
    }
    buffer += renderer.list_tail();
    if (!whole) co_return co_await writer.finish();
    buffer.pop_back();  // the newline: rendering adds its own
    KL_TRY(rendered, render_text(output, buffer));
    std::vector<Bytes> body;
    body.push_back(std::move(rendered));
    co_return co_await respond_bytes(exchange_, 200, std::move(headers), std::move(body),
                                     output.gzip);
  }

  // Before anything was sent the client gets a Status; afterwards the connection is all that can
  // tell.
  static Error writer_failed(const Error& error) { return internal_error(error.message()); }

  Serving serving_;
  net::Exchange& exchange_;
  net::Request& request_;
  const RequestInfo& info_;
  const User& user_;
};

// Reads and answers within the time limit; the store may stall.
Task<Result<void>> limited(Clock& clock, Task<Result<void>> work) {
  auto done = co_await with_deadline(clock, kRequestTimeout, std::move(work));
  if (done.is(Code::timeout) && done.error().details().causes.empty())
    co_return Error(Code::timeout, "Timeout: request did not complete within the allotted timeout");
  co_return std::move(done);
}

// Resources that have no collection path of their own (a namespaced kind without its namespace)
// take no writes.
bool misses_namespace(const RequestInfo& info) {
  return info.resource->namespaced && info.ns.empty();
}

bool readable_subresource(const schema::Resource& resource, const std::string& name) {
  const auto* sub = resource.subresource(name);
  if (!sub) return false;
  return std::find(sub->verbs.begin(), sub->verbs.end(), "get") != sub->verbs.end();
}

}  // namespace

std::string object_namespace(const RequestInfo& info) {
  return info.resource->namespaced ? info.ns : std::string();
}

Result<Renderer> renderer_for(Serving serving, const net::Request& request,
                              const schema::Resource& resource, Offers offers) {
  KL_TRY_FN(output, negotiate(request, offers));
  RowObject rows = RowObject::metadata;
  if (const auto* include = request.query_value("includeObject");
      include && output.transform == Transform::table) {
    if (*include == "None") {
      rows = RowObject::none;
    } else if (*include == "Object") {
      rows = RowObject::object;
    } else if (!include->empty() && *include != "Metadata") {
      return Error(Code::bad_request, "unrecognized includeObject value: \"{}\"", *include);
    }
  }
  return Renderer(serving.registry, resource, std::move(output), rows, serving.clock.wall());
}

Task<Result<void>> serve_resource(Serving serving, net::Exchange& exchange, const RequestInfo& info,
                                  const User& user) {
  const auto& resource = *info.resource;
  if (!info.rest.empty()) co_return no_such_resource();
  const bool sub = !info.subresource.empty();
  if (sub && !resource.subresource(info.subresource)) co_return no_such_resource();
  if (!info.name.empty() && misses_namespace(info)) co_return no_such_resource();
  ResourceRequest request(serving, exchange, info, user);
  if (info.verb == "watch") co_return co_await serve_watch(serving, exchange, info);
  if (info.verb == "get") {
    if (sub ? !readable_subresource(resource, info.subresource) : !resource.has_verb("get"))
      co_return no_such_method();
    co_return co_await request.get();
  }
  if (info.verb == "list") {
    if (!resource.has_verb("list")) co_return no_such_method();
    co_return co_await request.list();
  }
  if (info.verb == "deletecollection")
    co_return co_await limited(serving.clock, request.remove_collection());
  if (misses_namespace(info)) co_return no_such_method();
  if (info.verb == "create") {
    if (!info.name.empty() && !sub) co_return no_such_method();
    co_return co_await limited(serving.clock, request.create());
  }
  if (info.name.empty()) co_return no_such_method();
  if (info.verb == "update") co_return co_await limited(serving.clock, request.update());
  if (info.verb == "patch") co_return co_await limited(serving.clock, request.patch());
  if (info.verb == "delete") co_return co_await limited(serving.clock, request.remove());
  co_return no_such_method();
}

}  // namespace kinglet::apiserver
