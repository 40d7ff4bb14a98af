#include "node/runtime/image_fetch.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/task.h"
#include "base/task_group.h"
#include "json/json.h"
#include "net/crypto.h"
#include "node/runtime/image_import.h"
#include "node/runtime/image_reference.h"
#include "node/runtime/registry_session.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
constexpr int kIndexDepthMax = 3;
constexpr size_t kLayersAtOnce = 3;  // as containerd
constexpr int64_t kImageBytesMax = int64_t{64} << 30;
constexpr size_t kRegistriesBytesMax = 1 << 20;

bool is_index(const RegistrySession::Document& document) {
  IndexEntry entry;
  entry.media_type = document.media_type;
  if (entry.is_index()) return true;
  if (entry.is_manifest()) return false;
  const auto root = json::parse(document.text);  // the type is missing or generic
  return root && json::find(*root, {"manifests"}) != nullptr;
}

struct Blob {
  std::string digest;
  int64_t bytes = -1;
};

struct FoundImage {
  std::string top_digest;              // what the reference leads to: of the index, if there is one
  RegistrySession::Document manifest;  // for this machine
};

class Fetcher {
 public:
  Fetcher(Clock& clock, FetchRequest request, ImageReference reference)
      : clock_(clock), request_(std::move(request)), reference_(std::move(reference)) {}

  Task<Result<Fetched>> run(net::ProxySettings proxies) {
    KL_TRY(config, read_registries());
    const auto [registry, repository] = split_repository(reference_.repository);
    std::vector<std::string> earlier;
    Error last(Code::unavailable, "no endpoint");
    const auto endpoints = endpoints_for(config, registry);
    for (size_t i = 0; i < endpoints.size(); ++i) {
      auto trying = try_endpoint(endpoints[i], repository, proxies);
      auto fetched = co_await std::move(trying);
      if (fetched) co_return *fetched;
      last = std::move(fetched.error());
      // Disks, damaged content and the registry's own verdict are not another endpoint's business.
      const bool own = endpoints[i].ns.empty() &&
                       (last.code() == Code::not_found || last.code() == Code::unauthorized);
      if (own || last.code() == Code::io || last.code() == Code::invalid) break;
      if (i + 1 < endpoints.size())
        earlier.push_back(fmt::format("{}: {}", endpoints[i].url, last.message()));
    }
    co_return Error(
        last.code(), "failed to resolve reference \"{0}\": {0}: {1}{2}", request_.reference,
        last.message(),
        earlier.empty() ? "" : fmt::format(" (tried before: {})", fmt::join(earlier, "; ")));
  }

 private:
  Result<RegistriesConfig> read_registries() const {
    const auto files = make_system_files();
    if (request_.registries_file.empty() || !files->exists(request_.registries_file))
      return RegistriesConfig{};
    KL_TRY_FN(text, read_file(*files, request_.registries_file, kRegistriesBytesMax));
    return parse_registries(text);
  }

  std::vector<RegistryCredential> credentials_for(const RegistryEndpoint& endpoint) const {
    if (!endpoint.access.credential.empty()) {
      auto out = request_.credentials;
      out.push_back(endpoint.access.credential);
      return out;
    }
    return request_.credentials.empty() ? std::vector<RegistryCredential>(1) : request_.credentials;
  }

  // With each set of credentials, until one is let in.
  Task<Result<Fetched>> try_endpoint(RegistryEndpoint endpoint, std::string repository,
                                     net::ProxySettings proxies) {
    KL_TRY(tls, read_tls(endpoint.access.tls));
    KL_TRY(name, rewritten(endpoint, repository));
    Error last(Code::unauthorized, "no credentials");
    for (const auto& credential : credentials_for(endpoint)) {
      RegistrySession session(clock_, endpoint, name, credential, proxies, tls);
      auto fetching = fetch(session);
      auto fetched = co_await std::move(fetching);
      if (fetched || !fetched.is(Code::unauthorized)) co_return std::move(fetched);
      last = std::move(fetched.error());
    }
    co_return std::move(last);
  }

  Task<Result<Fetched>> fetch(RegistrySession& session) {
    Fetched out;
    const std::string wanted = reference_.digest.empty() ? reference_.tag : reference_.digest;
    if (!request_.known_digests.empty()) {
      auto asking = session.manifest_head(wanted);
      KL_TRY(head, co_await std::move(asking));
      const auto& known = request_.known_digests;
      out.unchanged = std::find(known.begin(), known.end(), head.digest) != known.end();
      if (out.unchanged) co_return out;
    }
    auto resolving = resolve(session, wanted);
    KL_TRY(found, co_await std::move(resolving));
    KL_TRY(manifest, parse_oci_manifest(found.manifest.text));
    KL_CHECK(make_directories());
    auto getting = session.small_blob(manifest.config_digest);
    KL_TRY(config, co_await std::move(getting), "configuration");
    KL_CHECK(store(manifest.config_digest, config));
    KL_TRY(blobs, missing_layers(manifest, config));
    auto fetching = fetch_all(session, std::move(blobs));
    KL_CHECK(co_await std::move(fetching));
    KL_CHECK(store(found.manifest.digest, found.manifest.text));
    KL_CHECK(write_index(found));
    out.bytes = session.bytes_received();
    co_return out;
  }

  Task<Result<FoundImage>> resolve(RegistrySession& session, std::string wanted) {
    FoundImage out;
    for (int depth = 0; depth < kIndexDepthMax; ++depth) {
      auto asking = session.manifest(wanted);
      KL_TRY(document, co_await std::move(asking));
      if (depth == 0) out.top_digest = document.digest;
      if (!is_index(document)) {
        out.manifest = std::move(document);
        co_return out;
      }
      KL_TRY(entries, parse_oci_index(document.text));
      const IndexEntry* chosen = choose_platform(entries, this_platform());
      if (chosen == nullptr)
        co_return Error(Code::invalid, "no match for platform in manifest: this machine is {}/{}",
                        this_platform().os, this_platform().architecture);
      wanted = chosen->digest;
    }
    co_return Error(Code::invalid, "indexes are nested too deep");
  }

  std::string blob_path(const std::string& digest) const {
    return fmt::format("{}/blobs/sha256/{}", request_.directory, hex_of(digest));
  }
  Result<void> make_directories() const {
    std::error_code failed;
    fs::create_directories(request_.directory + "/blobs/sha256", failed);
    if (failed) return errno_error(failed.value(), request_.directory);
    return {};
  }
  Result<void> store(const std::string& digest, const std::string& text) const {
    const auto files = make_system_files();
    return write_file(*files, blob_path(digest), text);
  }

  // The layers that are neither unpacked nor fetched already. One that is unpacked is stood in for
  // by an empty file.
  Result<std::vector<Blob>> missing_layers(const OciManifest& manifest,
                                           const std::string& config_text) const {
    KL_TRY_FN(config, parse_image_config(config_text));
    if (config.diff_ids.size() != manifest.layer_digests.size())
      return Error(Code::invalid, "the manifest has {} layers, the configuration {}",
                   manifest.layer_digests.size(), config.diff_ids.size());
    std::vector<Blob> out;
    std::set<std::string> seen;
    int64_t total = 0;
    for (size_t i = 0; i < manifest.layer_digests.size(); ++i) {
      const Blob blob{manifest.layer_digests[i], manifest.layer_bytes[i]};
      if (!seen.insert(blob.digest).second) continue;
      total += std::max<int64_t>(0, std::min(blob.bytes, kImageBytesMax));
      if (total > kImageBytesMax)
        return Error(Code::invalid, "its layers are larger than {} GiB", kImageBytesMax >> 30);
      std::error_code failed;
      const std::string path = blob_path(blob.digest);
      if (fs::exists(layer_dir(request_.images_dir, config.diff_ids[i]), failed)) {
        if (!fs::exists(path, failed)) KL_CHECK_FN(store(blob.digest, ""));
        continue;
      }
      // Whole files are there only when they were checked; but an empty one may be a stand-in whose
      // layer has gone.
      if (fs::exists(path, failed) && fs::file_size(path, failed) > 0) continue;
      out.push_back(blob);
    }
    return out;
  }

  Task<Result<void>> fetch_all(RegistrySession& session, std::vector<Blob> blobs) {
    size_t next = 0;
    TaskGroup group;
    for (size_t i = 0; i < std::min(kLayersAtOnce, blobs.size()); ++i)
      group.add("layer", fetch_some(session, blobs, next));
    if (blobs.empty()) co_return Result<void>();
    co_return co_await group.run();
  }

  Task<Result<void>> fetch_some(RegistrySession& session, const std::vector<Blob>& blobs,
                                size_t& next) {
    while (next < blobs.size()) {
      const Blob blob = blobs[next++];
      auto getting = session.blob_to_file(blob.digest, blob.bytes, blob_path(blob.digest));
      KL_CHECK(co_await std::move(getting), "layer {}", blob.digest);
    }
    co_return Result<void>();
  }

  Result<void> write_index(const FoundImage& found) const {
    json::Array manifests;
    const auto add = [&](const std::string& name) {
      json::Object entry, annotations;
      annotations["io.containerd.image.name"] = name;
      entry["mediaType"] = "application/vnd.oci.image.manifest.v1+json";
      entry["digest"] = found.manifest.digest;
      entry["annotations"] = std::move(annotations);
      manifests.push_back(std::move(entry));
    };
    // Pods may name the digest of the index or that of the manifest; import adds the latter by
    // itself.
    add(reference_.text());
    if (found.top_digest != reference_.digest) add(reference_.repository + "@" + found.top_digest);
    const auto files = make_system_files();
    return write_file(
        *files, request_.directory + "/index.json",
        json::print(json::Object{{"schemaVersion", 2}, {"manifests", std::move(manifests)}}));
  }

  Clock& clock_;
  FetchRequest request_;
  ImageReference reference_;
};

json::Array credentials_json(const std::vector<RegistryCredential>& credentials) {
  json::Array out;
  for (const auto& credential : credentials)
    out.push_back(json::Object{{"username", credential.username},
                               {"password", credential.password},
                               {"identityToken", credential.identity_token}});
  return out;
}

json::Array strings_json(const std::vector<std::string>& strings) {
  json::Array out;
  for (const auto& text : strings) out.emplace_back(text);
  return out;
}
}  // namespace

const IndexEntry* choose_platform(const std::vector<IndexEntry>& entries, const Platform& machine) {
  const IndexEntry* best = nullptr;
  for (const auto& entry : entries) {
    if (!entry.is_manifest() && !entry.is_index() && !entry.media_type.empty()) continue;
    if (entry.platform && !runs_on(*entry.platform, machine)) continue;
    if (best == nullptr ||
        (entry.platform && best->platform && entry.platform->variant > best->platform->variant))
      best = &entry;
  }
  return best;
}

std::string print_fetch(const FetchRequest& request) {
  return json::print(json::Object{{"version", 1},
                                  {"reference", request.reference},
                                  {"credentials", credentials_json(request.credentials)},
                                  {"registriesFile", request.registries_file},
                                  {"directory", request.directory},
                                  {"imagesDir", request.images_dir},
                                  {"knownDigests", strings_json(request.known_digests)}});
}

Result<FetchRequest> parse_fetch(std::string_view text) {
  KL_TRY_FN(root, json::parse(text));
  FetchRequest out;
  out.reference = json::text_at(root, {"reference"});
  out.registries_file = json::text_at(root, {"registriesFile"});
  out.directory = json::text_at(root, {"directory"});
  out.images_dir = json::text_at(root, {"imagesDir"});
  if (const auto* list = json::find(root, {"credentials"}); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      out.credentials.push_back({std::string(json::text_at(item, {"username"})),
                                 std::string(json::text_at(item, {"password"})),
                                 std::string(json::text_at(item, {"identityToken"}))});
  if (const auto* list = json::find(root, {"knownDigests"}); list != nullptr && list->is_array())
    for (const auto& item : list->get_array())
      if (item.is_string()) out.known_digests.emplace_back(item.get_string());
  if (out.directory.empty() || out.images_dir.empty())
    return Error(Code::invalid, "directories are missing");
  return out;
}

std::string print_fetched(const Fetched& fetched) {
  return json::print(
      json::Object{{"version", 1}, {"unchanged", fetched.unchanged}, {"bytes", fetched.bytes}});
}

Result<Fetched> parse_fetched(std::string_view text) {
  KL_TRY_FN(root, json::parse(text));
  return Fetched{json::bool_at(root, {"unchanged"}),
                 static_cast<uint64_t>(json::int_at(root, {"bytes"}))};
}

Task<Result<Fetched>> fetch_image(Clock& clock, FetchRequest request, net::ProxySettings proxies) {
  KL_TRY(reference, parse_reference(request.reference));
  Fetcher fetcher(clock, std::move(request), std::move(reference));
  auto running = fetcher.run(std::move(proxies));
  co_return co_await std::move(running);
}

}  // namespace kinglet::runtime
