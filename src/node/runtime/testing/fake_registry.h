// A registry on a loopback port that does what a test wants of it: asks for tokens, cuts
// connections, sends nonsense.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/task.h"
#include "net/server.h"
#include "node/runtime/testing/test_image.h"

namespace kinglet::runtime::testing {

class FakeRegistry final : public net::Handler {
 public:
  enum class Auth { none, basic, bearer };
  Auth auth = Auth::none;
  std::string user = "user", password = "password";
  size_t cut_blobs_after = 0;  // each answer with a blob ends after so many bytes; 0: never
  bool ranges = true;          // else it always sends the whole
  bool damage_blobs = false;
  std::string base;               // "http://127.0.0.1:1234", for the token server
  std::string redirect_blobs_to;  // another origin
  std::vector<std::string> log;   // "GET /v2/..."
  std::string last_authorization;

  // `name`: "app:1". Returns the manifest's digest.
  std::string add(const std::string& name, const std::vector<std::vector<Entry>>& layers,
                  Compression compression = Compression::gzip) {
    std::vector<std::string> diff_ids;
    json::Array described;
    for (const auto& layer : layers) {
      diff_ids.push_back(digest(tar_of(layer)));
      const std::string bytes = tar_of(layer, compression);
      described.push_back(json::Object{{"digest", blob(bytes)}, {"size", bytes.size()}});
    }
    const std::string config = config_json({.tag = name}, diff_ids);
    const std::string manifest = json::print(
        json::Object{{"schemaVersion", 2},
                     {"config", json::Object{{"digest", blob(config)}, {"size", config.size()}}},
                     {"layers", std::move(described)}});
    put(name, manifest, "application/vnd.oci.image.manifest.v1+json");
    return digest(manifest);
  }
  // An index whose second entry is the image for this machine.
  std::string add_index(const std::string& name, const std::string& manifest_digest) {
    const auto entry = [](const std::string& digest, const std::string& architecture) {
      return json::Object{
          {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
          {"digest", digest},
          {"platform", json::Object{{"os", "linux"}, {"architecture", architecture}}}};
    };
    const std::string index = json::print(json::Object{
        {"schemaVersion", 2},
        {"manifests",
         json::Array{json::Value(entry(digest("nothing"), "s390x")),
                     json::Value(entry(manifest_digest, this_platform().architecture))}}});
    put(name, index, "application/vnd.oci.image.index.v1+json");
    return digest(index);
  }

  Task<void> serve(net::Exchange& exchange) override {
    const net::Request& request = exchange.request();
    log.push_back(request.method + " " + request.path);
    last_authorization = request.headers.get("authorization");
    const auto done = co_await answer(exchange);
    (void)done;
  }

 private:
  struct Manifest {
    std::string text, type;
  };

  std::string blob(const std::string& bytes) {
    blobs_[digest(bytes)] = bytes;
    return digest(bytes);
  }
  void put(const std::string& name, const std::string& text, const std::string& type) {
    const size_t colon = name.rfind(':');
    manifests_[name.substr(0, colon) + "/manifests/" + name.substr(colon + 1)] = {text, type};
    manifests_[name.substr(0, colon) + "/manifests/" + digest(text)] = {text, type};
  }

  Task<Result<void>> answer(net::Exchange& exchange) {
    const net::Request& request = exchange.request();
    if (request.path == "/token") co_return co_await give_token(exchange);
    if (!may_enter(request)) {
      net::Headers headers;
      headers.set("WWW-Authenticate",
                  auth == Auth::basic
                      ? std::string("Basic realm=\"test\"")
                      : fmt::format("Bearer realm=\"{}/token\",service=\"test\"", base));
      std::vector<Bytes> none;
      co_return co_await exchange.respond(401, std::move(headers), std::move(none));
    }
    const std::string path = request.path.substr(std::min<size_t>(4, request.path.size()));
    if (const auto found = manifests_.find(path); found != manifests_.end()) {
      net::Headers headers;
      headers.set("Content-Type", found->second.type);
      headers.set("Docker-Content-Digest", digest(found->second.text));
      std::vector<Bytes> body;
      if (request.method != "HEAD") body.emplace_back(found->second.text);
      co_return co_await exchange.respond(200, std::move(headers), std::move(body));
    }
    const auto found = blobs_.find(path.substr(path.rfind('/') + 1));
    if (path.find("/blobs/") != std::string::npos && found != blobs_.end())
      co_return co_await send_blob(exchange, found->second);
    co_return co_await net::respond_text(
        exchange, 404, R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})");
  }

  bool may_enter(const net::Request& request) const {
    const auto given = request.headers.get("authorization");
    if (auth == Auth::basic) return given == "Basic " + net::base64(user + ":" + password);
    return auth == Auth::none || given == "Bearer let-me-in";
  }

  Task<Result<void>> give_token(net::Exchange& exchange) {
    const bool known = exchange.request().headers.get("authorization") ==
                       "Basic " + net::base64(user + ":" + password);
    if (!known) co_return co_await net::respond_text(exchange, 401, "no");
    co_return co_await net::respond_text(exchange, 200, R"({"token":"let-me-in"})");
  }

  Task<Result<void>> send_blob(net::Exchange& exchange, std::string bytes) {
    const net::Request& request = exchange.request();
    net::Headers headers;
    if (!redirect_blobs_to.empty()) {
      headers.set("Location", redirect_blobs_to + request.target);
      std::vector<Bytes> none;
      co_return co_await exchange.respond(307, std::move(headers), std::move(none));
    }
    if (damage_blobs) bytes.back() = static_cast<char>(bytes.back() ^ 1);
    int status = 200;
    const std::string range(request.headers.get("range"));
    if (ranges && !range.empty()) {
      const size_t from = std::stoul(range.substr(6));
      status = 206;
      headers.set("Content-Range",
                  fmt::format("bytes {}-{}/{}", from, bytes.size() - 1, bytes.size()));
      bytes.erase(0, from);
    }
    // Configurations are JSON and stay whole: only layers are taken up again.
    if (cut_blobs_after == 0 || bytes.size() <= cut_blobs_after || bytes[0] == '{') {
      std::vector<Bytes> body{Bytes(bytes)};
      co_return co_await exchange.respond(status, std::move(headers), std::move(body));
    }
    headers.set("Content-Length", fmt::format("{}", bytes.size()));
    KL_CHECK(co_await exchange.start(status, std::move(headers)));
    const Bytes piece[] = {Bytes(std::string_view(bytes).substr(0, cut_blobs_after))};
    co_return co_await exchange.write(piece);  // and no finish(): the connection breaks
  }

  std::map<std::string, Manifest> manifests_;
  std::map<std::string, std::string> blobs_;
};

}  // namespace kinglet::runtime::testing
