// The JSON documents inside an image archive. Pure; every one comes from outside.
// Sources: OCI image-spec (index.json, manifest, config); docker save (manifest.json).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "node/runtime/images.h"

namespace kinglet::runtime {

constexpr size_t kLayersMax = 127;             // overlayfs on the kernels we meet takes some hundreds
constexpr size_t kImagesPerArchiveMax = 256;
constexpr size_t kDocumentBytesMax = 4 << 20;  // as registries limit a manifest
constexpr size_t kConfigStringsMax = 4096;     // environment variables, arguments

// This machine, in OCI's words.
struct Platform {
  std::string os = "linux", architecture, variant;
};
Platform this_platform();

// index.json, or a nested index.
struct IndexEntry {
  std::string digest, media_type;
  std::string name;  // from the annotations, as written there; may be only a tag, or empty
  std::optional<Platform> platform;
  bool is_index() const;
  bool is_manifest() const;
};
Result<std::vector<IndexEntry>> parse_oci_index(std::string_view text);
// Whether an image for `wanted` can run on `machine` ("" variant matches any).
bool runs_on(const Platform& wanted, const Platform& machine);

struct OciManifest {
  std::string config_digest;
  std::vector<std::string> layer_digests;
  // As the manifest says; -1: it does not.
  int64_t config_bytes = -1;
  std::vector<int64_t> layer_bytes;
};
Result<OciManifest> parse_oci_manifest(std::string_view text);

struct DockerManifest {
  std::string config_path;
  std::vector<std::string> tags;
  std::vector<std::string> layer_paths;
};
Result<std::vector<DockerManifest>> parse_docker_manifest(std::string_view text);

struct ParsedConfig {
  ImageConfig config;
  std::vector<std::string> diff_ids;
};
Result<ParsedConfig> parse_image_config(std::string_view text);

}  // namespace kinglet::runtime
