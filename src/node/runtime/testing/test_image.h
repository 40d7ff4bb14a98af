// Image archives for tests, made in memory by libarchive's own writer.
#pragma once
#include <archive.h>
#include <archive_entry.h>

#include <clocale>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "json/json.h"
#include "net/crypto.h"
#include "node/runtime/image_manifest.h"

namespace kinglet::runtime::testing {

struct Entry {
  std::string name;
  std::string content;
  unsigned type = AE_IFREG;
  unsigned mode = 0644;
  std::string link;  // target of a symlink, or of a hard link (type AE_IFREG)
  int64_t uid = 0, gid = 0;
  std::map<std::string, std::string> xattrs = {};
};
inline Entry dir(std::string name, unsigned mode = 0755) { return {std::move(name), "", AE_IFDIR, mode, ""}; }
inline Entry file(std::string name, std::string content, unsigned mode = 0644) {
  return {std::move(name), std::move(content), AE_IFREG, mode, ""};
}
inline Entry symlink(std::string name, std::string target) { return {std::move(name), "", AE_IFLNK, 0777, std::move(target)}; }
inline Entry hardlink(std::string name, std::string target) { return {std::move(name), "", AE_IFREG, 0644, std::move(target)}; }

enum class Compression { none, gzip, zstd };

inline std::string tar_of(const std::vector<Entry>& entries, Compression compression = Compression::none) {
  std::string out;
  std::setlocale(LC_CTYPE, "C.UTF-8");  // as unpack_main() does: the writer crashes on umlauts without
  archive* a = archive_write_new();
  archive_write_set_format_pax_restricted(a);
  if (compression == Compression::gzip) archive_write_add_filter_gzip(a);
  if (compression == Compression::zstd) archive_write_add_filter_zstd(a);
  archive_write_set_bytes_in_last_block(a, 1);
  archive_write_open(
      a, &out, nullptr,
      [](archive*, void* to, const void* data, size_t size) -> la_ssize_t {
        static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
      },
      nullptr);
  for (const auto& entry : entries) {
    archive_entry* e = archive_entry_new();
    archive_entry_set_pathname_utf8(e, entry.name.c_str());
    archive_entry_set_filetype(e, entry.type);
    archive_entry_set_perm(e, entry.mode);
    archive_entry_set_uid(e, entry.uid);
    archive_entry_set_gid(e, entry.gid);
    archive_entry_set_mtime(e, 1'600'000'000, 0);
    archive_entry_set_size(e, static_cast<la_int64_t>(entry.content.size()));
    if (entry.type == AE_IFLNK) archive_entry_set_symlink(e, entry.link.c_str());
    if (entry.type == AE_IFREG && !entry.link.empty()) archive_entry_set_hardlink(e, entry.link.c_str());
    for (const auto& [name, value] : entry.xattrs)
      archive_entry_xattr_add_entry(e, name.c_str(), value.data(), value.size());
    archive_write_header(a, e);
    if (!entry.content.empty()) archive_write_data(a, entry.content.data(), entry.content.size());
    archive_entry_free(e);
  }
  archive_write_close(a);
  archive_write_free(a);
  return out;
}

inline std::string digest(std::string_view bytes) { return "sha256:" + net::to_hex(net::sha256(bytes)); }
inline std::string hex(std::string_view bytes) { return net::to_hex(net::sha256(bytes)); }

struct ImageSpec {
  std::string tag = "registry.test/app:1";
  std::vector<std::vector<Entry>> layers;
  json::Object config = {};  // "Cmd", "Env"...
  std::string architecture = this_platform().architecture;
};

inline std::string config_json(const ImageSpec& spec, const std::vector<std::string>& diff_ids) {
  json::Array ids;
  for (const auto& id : diff_ids) ids.emplace_back(id);
  return json::print(json::Object{{"architecture", spec.architecture},
                                  {"os", "linux"},
                                  {"config", spec.config},
                                  {"rootfs", json::Object{{"type", "layers"}, {"diff_ids", std::move(ids)}}}});
}

// As `docker save` writes it.
inline std::vector<Entry> docker_entries(const ImageSpec& spec) {
  std::vector<Entry> out;
  std::vector<std::string> diff_ids;
  json::Array paths;
  for (const auto& layer : spec.layers) {
    const std::string tar = tar_of(layer);
    diff_ids.push_back(digest(tar));
    const std::string path = hex(tar) + "/layer.tar";
    paths.emplace_back(path);
    out.push_back(file(path, tar));
  }
  const std::string config = config_json(spec, diff_ids);
  out.push_back(file(hex(config) + ".json", config));
  json::Object manifest{{"Config", hex(config) + ".json"},
                        {"RepoTags", json::Array{json::Value(spec.tag)}},
                        {"Layers", std::move(paths)}};
  out.push_back(file("manifest.json", json::print(json::Array{json::Value(std::move(manifest))})));
  return out;
}

// As an OCI layout.
inline std::vector<Entry> oci_entries(const ImageSpec& spec, Compression compression = Compression::gzip) {
  std::vector<Entry> out;
  const auto blob = [&](const std::string& bytes) {
    out.push_back(file("blobs/sha256/" + hex(bytes), bytes));
    return digest(bytes);
  };
  std::vector<std::string> diff_ids;
  json::Array layers;
  for (const auto& layer : spec.layers) {
    diff_ids.push_back(digest(tar_of(layer)));
    layers.push_back(json::Object{{"digest", blob(tar_of(layer, compression))}});
  }
  const std::string config = blob(config_json(spec, diff_ids));
  const std::string manifest = blob(json::print(
      json::Object{{"schemaVersion", 2}, {"config", json::Object{{"digest", config}}}, {"layers", std::move(layers)}}));
  json::Object entry{{"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                     {"digest", manifest},
                     {"annotations", json::Object{{"org.opencontainers.image.ref.name", spec.tag}}}};
  out.push_back(file("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
  out.push_back(file("index.json", json::print(json::Object{{"schemaVersion", 2},
                                                             {"manifests", json::Array{json::Value(std::move(entry))}}})));
  return out;
}

inline std::string save(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

inline std::string load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace kinglet::runtime::testing
