// From an archive to layers on disk. Two passes over the file: the first keeps the small documents and the names,
// then it is decided what is in there (pure), then the second unpacks the layers that are not there yet.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/runtime/archive_stream.h"
#include "node/runtime/image_manifest.h"
#include "node/runtime/images.h"

namespace kinglet::runtime {

constexpr size_t kArchiveEntriesMax = 100'000;
constexpr size_t kDocumentsBytesMax = 64 << 20;  // of all documents of one archive together
constexpr uint64_t kArchiveBytesMax = uint64_t{64} << 30;

struct ArchiveContents {
  std::map<std::string, std::string> documents;  // small files that look like JSON, by path
  std::map<std::string, std::string> links;      // path -> path it stands for (docker save shares layers so)
  std::map<std::string, uint64_t> files;         // path -> size
};
// Errors: invalid (no tar, damaged), too_large.
Result<ArchiveContents> read_contents(ByteSource& file);

struct PlannedLayer {
  std::string path;         // in the archive
  std::string blob_digest;  // of the bytes there; empty: not known
  std::string diff_id;      // of the plain tar
};
struct PlannedImage {
  Image image;  // without its size
  std::vector<PlannedLayer> layers;
};
// What the archive holds for this machine. Errors: invalid (says what is wrong, or for which machines it is).
Result<std::vector<PlannedImage>> plan_import(const ArchiveContents& contents, const Platform& machine);

// Imports `archive_path`, a tar or a directory in the form of an OCI layout, into `images_dir`/layers. All layers or none are new afterwards; everything is on disk.
Result<std::vector<Image>> import_archive(const std::string& images_dir, const std::string& archive_path);

// Where a layer's files are, and the record beside them that says how large they are.
std::string layer_dir(const std::string& images_dir, const std::string& diff_id);
Result<uint64_t> layer_size(const std::string& images_dir, const std::string& diff_id);
// Unfinished layers have names that begin so; nobody's once no import runs.
constexpr const char* kUnfinishedPrefix = ".unfinished-";

}  // namespace kinglet::runtime
