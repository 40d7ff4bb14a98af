#include "node/runtime/image_manifest.h"

#include "json/json.h"
#include "node/runtime/image_reference.h"

namespace kinglet::runtime {
namespace {
using json::text_at;
using json::Value;

Error bad(const char* document, std::string_view why) {
  return Error(Code::invalid, "{}: {}", document, why);
}

Result<Value> parse_document(const char* document, std::string_view text) {
  if (text.size() > kDocumentBytesMax) return bad(document, "too large");
  auto parsed = json::parse(text);
  if (!parsed) return bad(document, parsed.error().message());
  return parsed;
}

// A missing member and null are an empty list, as Go's decoder has it.
Result<std::vector<std::string>> strings_at(const char* document, const Value& root,
                                            std::initializer_list<std::string_view> path,
                                            size_t count_max) {
  std::vector<std::string> out;
  const Value* found = json::find(root, path);
  if (found == nullptr || found->is_null()) return out;
  if (!found->is_array()) return bad(document, "a list is expected");
  if (found->get_array().size() > count_max) return bad(document, "a list is too long");
  for (const auto& item : found->get_array()) {
    if (!item.is_string()) return bad(document, "a string is expected");
    out.emplace_back(item.get_string());
    if (out.back().find('\0') != std::string::npos) return bad(document, "a string has a NUL");
  }
  return out;
}

Result<std::vector<std::string>> digests_at(const char* document, const Value& root,
                                            std::initializer_list<std::string_view> path) {
  KL_TRY_FN(digests, strings_at(document, root, path, kLayersMax));
  for (const auto& digest : digests)
    if (!is_sha256_digest(digest)) return bad(document, "a digest is not sha256");
  return std::move(digests);
}

std::string digest_of(const Value& descriptor) {
  return std::string(text_at(descriptor, {"digest"}));
}
}  // namespace

Platform this_platform() {
#if defined(__x86_64__)
  return {"linux", "amd64", ""};
#elif defined(__aarch64__)
  return {"linux", "arm64", "v8"};
#elif defined(__arm__)
  return {"linux", "arm", "v7"};
#elif defined(__i386__)
  return {"linux", "386", ""};
#elif defined(__riscv)
  return {"linux", "riscv64", ""};
#else
#error "name this architecture as Go does"
#endif
}

bool runs_on(const Platform& wanted, const Platform& machine) {
  if (!wanted.os.empty() && wanted.os != machine.os) return false;
  if (!wanted.architecture.empty() && wanted.architecture != machine.architecture) return false;
  // An armv6 image runs on armv7; nothing else differs within an architecture that matters here.
  if (machine.architecture == "arm" && !wanted.variant.empty())
    return wanted.variant <= machine.variant;
  return true;
}

bool IndexEntry::is_index() const {
  return media_type == "application/vnd.oci.image.index.v1+json" ||
         media_type == "application/vnd.docker.distribution.manifest.list.v2+json";
}
bool IndexEntry::is_manifest() const {
  return media_type == "application/vnd.oci.image.manifest.v1+json" ||
         media_type == "application/vnd.docker.distribution.manifest.v2+json";
}

Result<std::vector<IndexEntry>> parse_oci_index(std::string_view text) {
  constexpr const char* kDocument = "index.json";
  KL_TRY_FN(root, parse_document(kDocument, text));
  const Value* manifests = json::find(root, {"manifests"});
  if (manifests == nullptr || !manifests->is_array()) return bad(kDocument, "no list \"manifests\"");
  if (manifests->get_array().size() > kImagesPerArchiveMax) return bad(kDocument, "too many images");
  std::vector<IndexEntry> out;
  for (const auto& item : manifests->get_array()) {
    IndexEntry entry;
    entry.digest = digest_of(item);
    if (!is_sha256_digest(entry.digest)) return bad(kDocument, "a digest is not sha256");
    entry.media_type = text_at(item, {"mediaType"});
    // containerd's annotation is the whole name; OCI's may be only the tag.
    entry.name = text_at(item, {"annotations", "io.containerd.image.name"});
    if (entry.name.empty())
      entry.name = text_at(item, {"annotations", "org.opencontainers.image.ref.name"});
    if (const Value* platform = json::find(item, {"platform"});
        platform != nullptr && platform->is_object())
      entry.platform = Platform{std::string(text_at(*platform, {"os"})),
                                std::string(text_at(*platform, {"architecture"})),
                                std::string(text_at(*platform, {"variant"}))};
    out.push_back(std::move(entry));
  }
  return out;
}

Result<OciManifest> parse_oci_manifest(std::string_view text) {
  constexpr const char* kDocument = "image manifest";
  KL_TRY_FN(root, parse_document(kDocument, text));
  OciManifest out;
  out.config_digest = text_at(root, {"config", "digest"});
  if (!is_sha256_digest(out.config_digest)) return bad(kDocument, "no configuration");
  out.config_bytes = json::int_at(root, {"config", "size"}, -1);
  const Value* layers = json::find(root, {"layers"});
  if (layers == nullptr || !layers->is_array()) return bad(kDocument, "no list \"layers\"");
  if (layers->get_array().size() > kLayersMax) return bad(kDocument, "too many layers");
  for (const auto& layer : layers->get_array()) {
    out.layer_digests.push_back(digest_of(layer));
    if (!is_sha256_digest(out.layer_digests.back()))
      return bad(kDocument, "a digest is not sha256");
    out.layer_bytes.push_back(json::int_at(layer, {"size"}, -1));
  }
  return out;
}

Result<std::vector<DockerManifest>> parse_docker_manifest(std::string_view text) {
  constexpr const char* kDocument = "manifest.json";
  KL_TRY_FN(root, parse_document(kDocument, text));
  if (!root.is_array()) return bad(kDocument, "a list is expected");
  if (root.get_array().size() > kImagesPerArchiveMax) return bad(kDocument, "too many images");
  std::vector<DockerManifest> out;
  for (const auto& item : root.get_array()) {
    DockerManifest manifest;
    manifest.config_path = text_at(item, {"Config"});
    if (manifest.config_path.empty()) return bad(kDocument, "no configuration");
    KL_TRY_FN(tags, strings_at(kDocument, item, {"RepoTags"}, kImagesPerArchiveMax));
    manifest.tags = std::move(tags);
    KL_TRY_FN(layers, strings_at(kDocument, item, {"Layers"}, kLayersMax));
    manifest.layer_paths = std::move(layers);
    out.push_back(std::move(manifest));
  }
  return out;
}

Result<ParsedConfig> parse_image_config(std::string_view text) {
  constexpr const char* kDocument = "image configuration";
  KL_TRY_FN(root, parse_document(kDocument, text));
  if (!root.is_object()) return bad(kDocument, "an object is expected");
  ParsedConfig out;
  KL_TRY_FN(entrypoint, strings_at(kDocument, root, {"config", "Entrypoint"}, kConfigStringsMax));
  KL_TRY_FN(cmd, strings_at(kDocument, root, {"config", "Cmd"}, kConfigStringsMax));
  KL_TRY_FN(env, strings_at(kDocument, root, {"config", "Env"}, kConfigStringsMax));
  KL_TRY_FN(diff_ids, digests_at(kDocument, root, {"rootfs", "diff_ids"}));
  out.config.entrypoint = std::move(entrypoint);
  out.config.cmd = std::move(cmd);
  out.config.env = std::move(env);
  out.diff_ids = std::move(diff_ids);
  out.config.working_dir = text_at(root, {"config", "WorkingDir"});
  out.config.user = text_at(root, {"config", "User"});
  out.config.stop_signal = text_at(root, {"config", "StopSignal"});
  if (const Value* volumes = json::find(root, {"config", "Volumes"});
      volumes != nullptr && volumes->is_object())
    for (const auto& volume : volumes->get_object()) out.config.volumes.emplace_back(volume.key());
  out.config.os = text_at(root, {"os"});
  out.config.architecture = text_at(root, {"architecture"});
  out.config.variant = text_at(root, {"variant"});
  return out;
}

}  // namespace kinglet::runtime
