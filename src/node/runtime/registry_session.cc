#include "node/runtime/registry_session.h"

#include "base/files.h"
#include "base/task.h"
#include "json/json.h"
#include "net/crypto.h"
#include "node/runtime/blob_file.h"
#include "node/runtime/image_reference.h"

namespace kinglet::runtime {
namespace {
constexpr int kBlobTries = 5;  // without a single new byte
constexpr Duration kBlobRetryFirst = std::chrono::milliseconds(500),
                   kBlobRetryMax = std::chrono::seconds(10);
constexpr size_t kPemBytesMax = 1 << 20;
constexpr const char* kManifestTypes =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

// The registry's own words, where it has any. Source: OCI distribution-spec, error codes.
std::string words_of(const std::string& body) {
  const auto root = json::parse(body);
  const json::Value* errors = root ? json::find(*root, {"errors"}) : nullptr;
  if (errors == nullptr || !errors->is_array() || errors->get_array().empty()) return "";
  const auto& first = errors->get_array()[0];
  const auto code = json::text_at(first, {"code"}), message = json::text_at(first, {"message"});
  return fmt::format(": {}{}{}", code.substr(0, 100), message.empty() ? "" : ": ",
                     message.substr(0, 500));
}

Error refusal(const net::ClientResponse& response) {
  const std::string words = words_of(response.body);
  switch (response.status) {
    case 401:
      return Error(Code::unauthorized,
                   "authorization failed: no basic auth credentials or wrong ones{}", words);
    case 403:
      return Error(Code::unauthorized, "pull access denied{}", words);
    case 404:
      return Error(Code::not_found, "not found{}", words);
    case 429:
      return Error(Code::too_many_requests, "too many requests{}", words);
    default:
      return Error(Code::unavailable, "unexpected status {}{}", response.status, words);
  }
}

std::string digest_of(std::string_view text) { return "sha256:" + net::to_hex(net::sha256(text)); }

Result<std::string> read_pem(const std::string& path) {
  if (path.empty()) return std::string();
  const auto files = make_system_files();
  return read_file(*files, path, kPemBytesMax);
}
}  // namespace

Result<net::ClientTls> read_tls(const RegistryTls& tls) {
  net::ClientTls out;
  out.verify = !tls.skip_verify;
  KL_TRY_FN(ca, read_pem(tls.ca_file), "ca_file");
  KL_TRY_FN(certificate, read_pem(tls.cert_file), "cert_file");
  KL_TRY_FN(key, read_pem(tls.key_file), "key_file");
  out.ca_pem = std::move(ca);
  out.key_pair = {std::move(certificate), std::move(key)};
  return out;
}

RegistrySession::RegistrySession(Clock& clock, RegistryEndpoint endpoint, std::string repository,
                                 RegistryCredential credential, net::ProxySettings proxies,
                                 net::ClientTls tls)
    : clock_(clock),
      endpoint_(std::move(endpoint)),
      repository_(std::move(repository)),
      credential_(std::move(credential)),
      proxies_(std::move(proxies)),
      tls_(std::move(tls)) {}

std::string RegistrySession::url_of(const std::string& path) const {
  std::string url = fmt::format("{}/{}/{}", endpoint_.url, repository_, path);
  if (!endpoint_.ns.empty()) url += "?ns=" + endpoint_.ns;
  return url;
}

net::DownloadRequest RegistrySession::request_of(const std::string& method,
                                                 const std::string& url) const {
  net::DownloadRequest request;
  request.method = method;
  request.url = url;
  request.headers.set("User-Agent", "kinglet");
  request.proxies = proxies_;
  request.body_bytes_max = kManifestBytesMax;
  return request;
}

Task<Result<net::ClientResponse>> RegistrySession::ask(std::string method, std::string path,
                                                       net::Headers headers,
                                                       net::DownloadSink* sink) {
  for (bool again = false;; again = true) {
    net::DownloadRequest request = request_of(method, url_of(path));
    request.tls = tls_;
    for (const auto& [name, value] : headers.rows()) request.headers.set(name, value);
    if (!authorization_.empty()) request.headers.set("Authorization", authorization_);
    auto asking = net::download(clock_, std::move(request), sink);
    KL_TRY(response, co_await std::move(asking));
    if (response.status != 401 || again) co_return std::move(response);
    auto authorizing = authorize(response, fmt::format("repository:{}:pull", repository_));
    KL_CHECK(co_await std::move(authorizing));
  }
}

Task<Result<void>> RegistrySession::authorize(net::ClientResponse refused, std::string scope) {
  authorization_.clear();
  for (const auto& header : refused.headers.all("www-authenticate"))
    for (auto& challenge : parse_challenges(header)) {
      if (challenge.scheme == "basic" && !credential_.username.empty()) {
        authorization_ = basic_authorization(credential_);
        co_return Result<void>();
      }
      if (challenge.scheme != "bearer") continue;
      if (challenge.parameters["scope"].empty()) challenge.parameters["scope"] = scope;
      KL_TRY(asked, token_request(challenge, credential_));
      net::DownloadRequest request = request_of(asked.method, asked.url);
      // The same CA and the same leniency count for the token server when it is the registry's own.
      if (asked.url.starts_with(endpoint_.url.substr(0, endpoint_.url.find('/', 8))))
        request.tls = tls_;
      if (!asked.authorization.empty()) request.headers.set("Authorization", asked.authorization);
      if (!asked.body.empty())
        request.headers.set("Content-Type", "application/x-www-form-urlencoded");
      request.body = asked.body;
      auto asking = net::download(clock_, std::move(request), nullptr);
      KL_TRY(answer, co_await std::move(asking), "fetch token");
      if (answer.status != 200) co_return Error(refusal(answer)).with_context("fetch token");
      KL_TRY(token, parse_token(answer.body));
      authorization_ = "Bearer " + token;
      co_return Result<void>();
    }
  co_return Error(refusal(refused));
}

Task<Result<net::ClientResponse>> RegistrySession::ask_manifest(std::string method,
                                                                std::string reference) {
  net::Headers headers;
  headers.set("Accept", kManifestTypes);
  auto asking = ask(std::move(method), "manifests/" + reference, std::move(headers), nullptr);
  KL_TRY(response, co_await std::move(asking));
  if (response.status != 200) co_return refusal(response);
  auto type = std::string(response.headers.get("content-type"));
  response.headers.set("content-type", type.substr(0, type.find(';')));
  co_return std::move(response);
}

Task<Result<RegistrySession::Document>> RegistrySession::manifest(std::string reference) {
  auto asking = ask_manifest("GET", reference);
  KL_TRY(response, co_await std::move(asking));
  Document out;
  out.media_type = response.headers.get("content-type");
  out.digest = digest_of(response.body);
  out.text = std::move(response.body);
  if (is_sha256_digest(reference) && out.digest != reference)
    co_return Error(Code::invalid, "the registry's manifest has the digest {}, not {}", out.digest,
                    reference);
  co_return out;
}

Task<Result<RegistrySession::Document>> RegistrySession::manifest_head(std::string reference) {
  auto asking = ask_manifest("HEAD", std::move(reference));
  KL_TRY(response, co_await std::move(asking));
  Document out;
  out.media_type = response.headers.get("content-type");
  out.digest = response.headers.get("docker-content-digest");
  if (!is_sha256_digest(out.digest)) out.digest.clear();
  co_return out;
}

Task<Result<std::string>> RegistrySession::small_blob(std::string digest) {
  net::Headers headers;
  auto asking = ask("GET", "blobs/" + digest, headers, nullptr);
  KL_TRY(response, co_await std::move(asking));
  if (response.status != 200) co_return refusal(response);
  if (digest_of(response.body) != digest)
    co_return Error(Code::invalid, "{} does not match its content", digest);
  co_return std::move(response.body);
}

Task<Result<void>> RegistrySession::blob_to_file(std::string digest, int64_t bytes,
                                                 std::string path) {
  Duration pause = kBlobRetryFirst;
  bool started_over = false;
  uint64_t most = 0;  // a registry that always begins anew makes no progress, however much it sends
  for (int attempt = 1;; ++attempt) {
    KL_TRY(file, BlobFile::open(path + ".part", bytes));
    const uint64_t before = file->size();
    std::optional<Error> failure;
    if (bytes < 0 || before < static_cast<uint64_t>(bytes)) {
      net::Headers headers;
      if (before > 0) headers.set("Range", fmt::format("bytes={}-", before));
      auto asking = ask("GET", "blobs/" + digest, headers, file.get());
      auto response = co_await std::move(asking);
      bytes_received_ += file->received();
      if (!response)
        failure = std::move(response.error());
      else if (response->status != 200 && response->status != 206)
        failure = refusal(*response);
    }
    if (!failure) {
      if (file->finish() == digest) co_return file->publish(path);
      file->discard();
      if (std::exchange(started_over, true))
        co_return Error(Code::invalid, "{} does not match its content", digest);
      continue;  // a part of an earlier attempt may have been damaged on disk
    }
    const bool hopeless = failure->code() == Code::not_found ||
                          failure->code() == Code::unauthorized || failure->code() == Code::io ||
                          failure->code() == Code::too_large;
    if (hopeless || attempt >= kBlobTries) co_return std::move(*failure);
    if (file->size() > most) {
      most = file->size();
      attempt = 0;
      pause = kBlobRetryFirst;
      continue;  // it is the line that breaks: on with it at once
    }
    co_await clock_.sleep(pause);
    pause = std::min(pause * 2, kBlobRetryMax);
  }
}

}  // namespace kinglet::runtime
