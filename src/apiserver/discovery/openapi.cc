#include "apiserver/discovery/openapi.h"

#include "apiserver/auth/virtual_object.h"
#include "apiserver/internal/body_writer.h"
#include "apiserver/internal/negotiate.h"
#include "base/task.h"
#include "net/crypto.h"
#include "schema/codec.h"
#include "schema/types.h"

namespace kinglet::apiserver {
namespace {

// Raised when the documents change though the tables do not.
constexpr int kDocumentLayout = 1;
// The spelling that mime libraries can parse ("@" is none of their characters).
constexpr const char* kProtobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

std::string upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// Changes whenever a type or resource does. About 3,000 fields: a millisecond, once per process.
const std::string& catalogue_hash() {
  static const std::string hash = [] {
    std::string all = fmt::format("{}\n", kDocumentLayout);
    for (const auto* type : schema::types()) {
      all += fmt::format("{} {} {}\n", type->name, type->openapi_name, type->doc);
      for (const auto& field : type->fields)
        all += fmt::format("{} {} {} {} {} {} {}\n", field.name, static_cast<int>(field.kind),
                           static_cast<int>(field.cardinality), static_cast<int>(field.list_type),
                           field.required, field.merge_key, field.doc);
    }
    for (const auto* resource : schema::resources()) {
      all += fmt::format("{} {} {}", resource->group_version(), resource->plural, resource->kind);
      for (const auto verb : resource->verbs) all += fmt::format(" {}", verb);
      for (const auto& sub : resource->subresources) all += fmt::format(" {}", sub.name);
      all += '\n';
    }
    return net::sha512(all);
  }();
  return hash;
}

std::string document_hash(std::string_view name) {
  return upper(net::to_hex(net::sha512(fmt::format("{}{}", catalogue_hash(), name))));
}

std::string document_name(std::string_view group, std::string_view version) {
  return group.empty() ? fmt::format("api/{}", version) : fmt::format("apis/{}/{}", group, version);
}

struct Document {
  std::string group, version;
};
// "api/v1", "apis/apps/v1"; nullopt: not served.
std::optional<Document> find_document(std::string_view name) {
  for (const auto& group : schema::groups())
    for (const auto version : group.versions)
      if (document_name(group.name, version) == name)
        return Document{std::string(group.name), std::string(version)};
  return std::nullopt;
}

std::string location(std::string_view name) {
  return fmt::format("/openapi/v3/{}?hash={}", name, document_hash(name));
}

json::Value index_document() {
  json::Object paths;
  for (const auto& group : schema::groups()) {
    for (const auto version : group.versions) {
      const auto name = document_name(group.name, version);
      paths[name] = json::Object{{"serverRelativeURL", location(name)}};
    }
  }
  return json::Object{{"paths", std::move(paths)}};
}

// The protobuf form of version 2, in both spellings: kubectl's validation takes nothing else.
bool takes_protobuf_v2(std::string_view accept) {
  return accept.find("application/com.github.proto-openapi.spec.v2@v1.0+protobuf") != accept.npos ||
         accept.find("application/com.github.proto-openapi.spec.v2.v1.0+protobuf") != accept.npos;
}

// Whether JSON is among what the client takes. Version 3 has no other form here: clients ask for
// JSON first.
bool takes_json(std::string_view accept) {
  return accept.empty() || accept.find("application/json") != accept.npos ||
         accept.find("*/*") != accept.npos || accept.find("application/*") != accept.npos;
}

class OpenApi final : public Extension {
 public:
  bool serves(const RequestInfo& info) const override {
    if (info.is_resource) return false;
    return info.path == "/openapi/v2" || info.path == "/openapi/v3" ||
           info.path == "/openapi/v3/" || info.path.starts_with("/openapi/v3/");
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    auto& request = exchange.request();
    if (request.method != "GET" && request.method != "HEAD") {
      const Error error(Code::method_not_allowed,
                        "the server does not allow this method on the requested resource");
      co_await respond_error(exchange, error);
      co_return;
    }
    const std::string path = info.path;
    if (path == "/openapi/v3" || path == "/openapi/v3/") {
      std::string text = json::print(index_document());
      net::Headers headers;
      headers.add("Content-Type", "application/json");
      co_await send(exchange, document_hash("index"), std::move(text), std::move(headers));
      co_return;
    }
    const bool protobuf = path == "/openapi/v2" && takes_protobuf_v2(request.headers.get("accept"));
    if (!protobuf && !takes_json(request.headers.get("accept"))) {
      const Error error(Code::not_acceptable,
                        "only the following media types are accepted: application/json");
      co_await respond_error(exchange, error);
      co_return;
    }
    if (path == "/openapi/v2") {
      co_await serve_v2(exchange, protobuf ? Form::protobuf : Form::json);
    } else {
      co_await serve_v3(exchange, path.substr(std::string_view("/openapi/v3/").size()));
    }
  }

 private:
  static bool known(const net::Request& request, const std::string& hash) {
    return request.headers.get("if-none-match") == "\"" + hash + "\"";
  }

  static Task<void> not_modified(net::Exchange& exchange, std::string hash, net::Headers headers) {
    headers.add("ETag", "\"" + hash + "\"");
    std::vector<Bytes> nothing;
    auto sent = co_await exchange.respond(304, std::move(headers), std::move(nothing));
    (void)sent;
  }

  static Task<void> send(net::Exchange& exchange, std::string hash, std::string text,
                         net::Headers headers) {
    headers.add("ETag", "\"" + hash + "\"");
    headers.add("Vary", "Accept");
    const bool gzip = error_output(exchange.request()).gzip;
    std::vector<Bytes> body;
    body.emplace_back(text);
    text = std::string();  // the document is held once while a slow client takes it
    auto sent = co_await respond_bytes(exchange, 200, std::move(headers), std::move(body), gzip);
    (void)sent;  // a peer that has gone needs no answer
  }

  enum class Form : uint8_t { json, protobuf };
  static Task<void> serve_v2(net::Exchange& exchange, Form form) {
    const std::string hash = document_hash(form == Form::json ? "v2" : "v2 protobuf");
    net::Headers headers;
    headers.add("Cache-Control", "no-cache, private");
    if (known(exchange.request(), hash)) {
      co_await not_modified(exchange, hash, std::move(headers));
      co_return;
    }
    headers.add("Content-Type", form == Form::json ? "application/json" : kProtobufType);
    std::string text = form == Form::json ? schema::openapi_v2() : schema::openapi_v2_protobuf();
    co_await send(exchange, hash, std::move(text), std::move(headers));
  }

  static Task<void> serve_v3(net::Exchange& exchange, std::string name) {
    const auto document = find_document(name);
    if (!document) {
      co_await respond_page_not_found(exchange);
      co_return;
    }
    const std::string hash = document_hash(name);
    const auto* asked = exchange.request().query_value("hash");
    net::Headers headers;
    if (asked && *asked != hash) {
      headers.add("Location", location(name));
      std::vector<Bytes> nothing;
      auto sent = co_await exchange.respond(301, std::move(headers), std::move(nothing));
      (void)sent;
      co_return;
    }
    // With its hash in the address a document never changes: kubectl keeps it for good.
    headers.add("Cache-Control",
                asked ? "public, immutable, max-age=31536000" : "no-cache, private");
    if (known(exchange.request(), hash)) {
      co_await not_modified(exchange, hash, std::move(headers));
      co_return;
    }
    headers.add("Content-Type", "application/json");
    std::string text = schema::openapi_v3(document->group, document->version);
    co_await send(exchange, hash, std::move(text), std::move(headers));
  }
};

}  // namespace

std::unique_ptr<Extension> make_openapi() { return std::make_unique<OpenApi>(); }

}  // namespace kinglet::apiserver
