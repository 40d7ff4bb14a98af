#include <set>

#include "net/crypto.h"
#include "node/runtime/image_import.h"
#include "node/runtime/image_reference.h"

namespace kinglet::runtime {
namespace {
constexpr int kIndexDepthMax = 3;  // an index of indexes is as far as tools go
constexpr int kLinkDepthMax = 8;

std::string digest_of(std::string_view bytes) { return "sha256:" + net::to_hex(net::sha256(bytes)); }
std::string blob_path(std::string_view digest) { return fmt::format("blobs/sha256/{}", hex_of(digest)); }

class Planner {
 public:
  Planner(const ArchiveContents& contents, const Platform& machine)
      : contents_(contents), machine_(machine) {}

  Result<std::vector<PlannedImage>> run() {
    const bool oci = contents_.documents.contains("index.json");
    const bool docker = contents_.documents.contains("manifest.json");
    if (!oci && !docker)
      return Error(Code::invalid,
                   "neither manifest.json (docker save) nor index.json (OCI layout) is in it");
    if (oci) KL_CHECK_FN(plan_index(contents_.documents.at("index.json"), "", 0));
    if (docker) KL_CHECK_FN(plan_docker());
    if (images_.empty() && !others_.empty())
      return Error(Code::invalid, "its images are for {}; this machine is {}/{}",
                   fmt::join(others_, ", "), machine_.os, machine_.architecture);
    if (images_.empty()) return Error(Code::invalid, "it holds no image");
    std::vector<PlannedImage> out;
    for (auto& [id, image] : images_) out.push_back(std::move(image));
    return out;
  }

 private:
  Result<std::string> document(const std::string& path) const {
    std::string at = path;
    for (int i = 0; i < kLinkDepthMax; ++i) {
      if (const auto found = contents_.documents.find(at); found != contents_.documents.end())
        return found->second;
      const auto link = contents_.links.find(at);
      if (link == contents_.links.end()) break;
      at = link->second;
    }
    return Error(Code::invalid, "{} is missing", path);
  }
  Result<std::string> file(const std::string& path) const {
    std::string at = path;
    for (int i = 0; i < kLinkDepthMax; ++i) {
      if (contents_.files.contains(at)) return at;
      const auto link = contents_.links.find(at);
      if (link == contents_.links.end()) break;
      at = link->second;
    }
    return Error(Code::invalid, "layer {} is missing", path);
  }
  Result<std::string> blob(const std::string& digest) const {
    KL_TRY_FN(text, document(blob_path(digest)));
    if (digest_of(text) != digest) return Error(Code::invalid, "{} does not match its content", digest);
    return std::move(text);
  }

  Result<void> plan_index(const std::string& text, const std::string& name, int depth) {
    if (depth >= kIndexDepthMax) return Error(Code::invalid, "indexes are nested too deep");
    if (++documents_ > kImagesPerArchiveMax) return Error(Code::invalid, "too many images");
    KL_TRY_FN(entries, parse_oci_index(text));
    for (const auto& entry : entries) {
      const std::string& own = entry.name.empty() ? name : entry.name;
      if (entry.is_index()) {
        KL_TRY_FN(nested, blob(entry.digest));
        KL_CHECK_FN(plan_index(nested, own, depth + 1));
      } else if (entry.is_manifest() || entry.media_type.empty()) {
        if (entry.platform && !runs_on(*entry.platform, machine_)) {
          note_other(*entry.platform);
          continue;
        }
        KL_CHECK_FN(plan_manifest(entry.digest, own));
      }  // else: a signature, an attestation
    }
    return {};
  }

  Result<void> plan_manifest(const std::string& digest, const std::string& name) {
    if (++documents_ > kImagesPerArchiveMax) return Error(Code::invalid, "too many images");
    KL_TRY_FN(text, blob(digest));
    KL_TRY_FN(manifest, parse_oci_manifest(text));
    KL_TRY_FN(config, blob(manifest.config_digest));
    std::vector<PlannedLayer> layers;
    for (const auto& layer : manifest.layer_digests)
      layers.push_back({blob_path(layer), layer, ""});
    std::vector<std::string> tags;
    std::string with_digest;
    // A bare tag ("1.35") names no repository; manifest.json, which most tools write too, has the whole name.
    if (name.find_first_of("/:") != std::string::npos) {
      KL_TRY_FN(reference, parse_reference(name));
      tags.push_back(reference.text());
      with_digest = reference.repository + "@" + digest;
    }
    return add(config, std::move(layers), tags, with_digest);
  }

  Result<void> plan_docker() {
    KL_TRY_FN(manifests, parse_docker_manifest(contents_.documents.at("manifest.json")));
    for (const auto& manifest : manifests) {
      KL_TRY_FN(config_path, clean(manifest.config_path));
      KL_TRY_FN(config, document(config_path));
      std::vector<PlannedLayer> layers;
      for (const auto& path : manifest.layer_paths) {
        KL_TRY_FN(cleaned, clean(path));
        layers.push_back({cleaned, "", ""});
      }
      std::vector<std::string> tags;
      for (const auto& tag : manifest.tags) {
        KL_TRY_FN(reference, parse_reference(tag));
        tags.push_back(reference.text());
      }
      KL_CHECK_FN(add(config, std::move(layers), tags, ""));
    }
    return {};
  }

  static Result<std::string> clean(const std::string& path) {
    if (path.find("..") != std::string::npos) return Error(Code::invalid, "\"{}\" points outside", path);
    return path.starts_with("./") ? path.substr(2) : path;
  }

  Result<void> add(const std::string& config_text, std::vector<PlannedLayer> layers,
                   const std::vector<std::string>& tags, const std::string& with_digest) {
    KL_TRY_FN(parsed, parse_image_config(config_text));
    const Platform wanted{parsed.config.os, parsed.config.architecture, parsed.config.variant};
    if (!runs_on(wanted, machine_)) {
      note_other(wanted);
      return {};
    }
    if (layers.size() != parsed.diff_ids.size())
      return Error(Code::invalid, "the manifest has {} layers, the configuration {}", layers.size(),
                   parsed.diff_ids.size());
    for (size_t i = 0; i < layers.size(); ++i) {
      KL_TRY_FN(place, file(layers[i].path));
      layers[i].path = std::move(place);
      layers[i].diff_id = parsed.diff_ids[i];
    }
    const std::string id = digest_of(config_text);
    auto [where, is_new] = images_.try_emplace(id);
    Image& image = where->second.image;
    if (is_new) {
      image.id = id;
      image.layers = parsed.diff_ids;
      image.config = std::move(parsed.config);
      where->second.layers = std::move(layers);
    }
    for (const auto& tag : tags) {
      auto& list = tag.find('@') == std::string::npos ? image.tags : image.digests;
      if (std::find(list.begin(), list.end(), tag) == list.end()) list.push_back(tag);
    }
    if (!with_digest.empty() &&
        std::find(image.digests.begin(), image.digests.end(), with_digest) == image.digests.end())
      image.digests.push_back(with_digest);
    return {};
  }

  void note_other(const Platform& platform) {
    others_.insert(fmt::format("{}/{}", platform.os, platform.architecture));
  }

  const ArchiveContents& contents_;
  const Platform& machine_;
  std::map<std::string, PlannedImage> images_;
  std::set<std::string> others_;  // platforms that were passed over
  size_t documents_ = 0;
};
}  // namespace

Result<std::vector<PlannedImage>> plan_import(const ArchiveContents& contents, const Platform& machine) {
  return Planner(contents, machine).run();
}

}  // namespace kinglet::runtime
