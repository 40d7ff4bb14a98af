#include "node/runtime/image_import.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "json/json.h"
#include "node/runtime/image_record.h"
#include "node/runtime/image_reference.h"
#include "node/runtime/layer_writer.h"
#include "node/runtime/runtime.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;

// "a/b/layer.tar" with link "../c/layer.tar" -> "a/c/layer.tar".
std::string beside(const std::string& path, const std::string& target) {
  fs::path joined = fs::path(path).parent_path() / target;
  return joined.lexically_normal().string();
}

Result<void> keep_document(TarReader& reader, const std::string& name, size_t& total,
                           ArchiveContents& out) {
  std::string text;
  for (;;) {
    KL_TRY_FN(block, reader.block());
    if (block.data.empty()) break;
    text += block.data;
    // JSON of an image begins with a bracket; a layer, compressed or not, never does.
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && text[first] != '{' && text[first] != '[') return {};
    if (text.size() > kDocumentBytesMax) return {};
  }
  total += text.size();
  if (total > kDocumentsBytesMax) return Error(Code::too_large, "too much JSON");
  out.documents[name] = std::move(text);
  return {};
}
}  // namespace

Result<ArchiveContents> read_contents(ByteSource& file) {
  const auto plain = decompress(file);
  HashedSource limited(*plain, kArchiveBytesMax);
  TarReader reader(limited);
  ArchiveContents out;
  size_t total = 0, entries = 0;
  for (;;) {
    KL_TRY_FN(entry, reader.next());
    if (entry == nullptr) return out;
    if (++entries > kArchiveEntriesMax) return Error(Code::too_large, "more than {} entries", kArchiveEntriesMax);
    const char* raw = name_of(entry);
    if (raw == nullptr) return Error(Code::invalid, "an entry has no readable name");
    KL_TRY_FN(name, clean_entry_path(raw));
    if (const char* hardlink = archive_entry_hardlink(entry)) {
      KL_TRY_FN(target, clean_entry_path(hardlink));
      out.links[name] = std::move(target);
    } else if (archive_entry_filetype(entry) == AE_IFLNK) {
      const char* target = archive_entry_symlink(entry);
      if (target != nullptr) out.links[name] = beside(name, target);
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      const auto size = static_cast<uint64_t>(archive_entry_size(entry));
      out.files[name] = size;
      if (size <= kDocumentBytesMax) KL_CHECK_FN(keep_document(reader, name, total, out));
    }
  }
}

std::string layer_dir(const std::string& images_dir, const std::string& diff_id) {
  return fmt::format("{}/layers/{}", images_dir, hex_of(diff_id));
}

Result<uint64_t> layer_size(const std::string& images_dir, const std::string& diff_id) {
  const auto files = make_system_files();
  KL_TRY_FN(text, read_file(*files, layer_dir(images_dir, diff_id) + "/layer.json", 4096));
  KL_TRY_FN(record, json::parse(text));
  return static_cast<uint64_t>(json::int_at(record, {"sizeBytes"}));
}

namespace {
// The layers that this import makes: under other names until all are whole.
class NewLayers {
 public:
  explicit NewLayers(std::string images_dir) : dir_(std::move(images_dir)) {}
  ~NewLayers() {
    std::error_code ignored;
    for (const auto& [id, path] : unfinished_) fs::remove_all(path, ignored);
  }

  // `bytes`: the layer as the archive has it, perhaps compressed.
  Result<void> unpack(const PlannedLayer& layer, ByteSource& bytes) {
    const std::string path =
        fmt::format("{}/layers/{}{}-{}", dir_, kUnfinishedPrefix, ::getpid(), unfinished_.size());
    unfinished_[layer.diff_id] = path;
    std::error_code failed;
    fs::create_directories(path + "/fs", failed);
    if (failed) return errno_error(failed.value(), path);
    KL_TRY_FN(writer, LayerWriter::open(path + "/fs"));
    if (::chmod((path + "/fs").c_str(), 0755) != 0) return errno_error(errno, path);
    HashedSource blob(bytes, kLayerBytesMax);
    const auto plain = decompress(blob);
    HashedSource tar(*plain, kLayerBytesMax);
    {
      TarReader reader(tar);
      KL_CHECK_FN(writer.unpack(reader));
    }
    KL_TRY_FN(diff_id, tar.finish());
    KL_TRY_FN(digest, blob.finish());
    if (!layer.blob_digest.empty() && digest != layer.blob_digest)
      return Error(Code::invalid, "damaged: its digest is {}", digest);
    if (diff_id != layer.diff_id)
      return Error(Code::invalid, "damaged: the digest of its content is {}, not {}", diff_id, layer.diff_id);
    const auto record = json::print(json::Object{{"version", 1}, {"sizeBytes", writer.bytes()}});
    const auto files = make_system_files();
    return write_file(*files, path + "/layer.json", record);
  }

  // All at once, and on disk before anything refers to them.
  Result<void> publish() {
    const UniqueFd layers(::open((dir_ + "/layers").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!layers) return errno_error(errno, dir_);
    if (!unfinished_.empty() && ::syncfs(layers.get()) != 0) return errno_error(errno, "sync");
    for (auto it = unfinished_.begin(); it != unfinished_.end(); it = unfinished_.erase(it))
      if (::rename(it->second.c_str(), layer_dir(dir_, it->first).c_str()) != 0)
        return errno_error(errno, it->second);
    if (::fsync(layers.get()) != 0) return errno_error(errno, dir_);
    return {};
  }

 private:
  std::string dir_;
  std::map<std::string, std::string> unfinished_;  // diff id -> where it grows
};

// Layers by their path in the archive, without those that are on disk.
std::map<std::string, PlannedLayer> missing_layers(const std::string& images_dir,
                                                   const std::vector<PlannedImage>& plan) {
  std::map<std::string, PlannedLayer> out;
  std::set<std::string> seen;
  for (const auto& image : plan)
    for (const auto& layer : image.layers)
      if (!fs::exists(layer_dir(images_dir, layer.diff_id)) && seen.insert(layer.diff_id).second)
        out[layer.path] = layer;
  return out;
}

// A directory in the form of an OCI layout, as a pull leaves it: what an archive would hold.
Result<ArchiveContents> read_layout(const std::string& dir) {
  ArchiveContents out;
  const auto files = make_system_files();
  size_t total = 0;
  const auto add = [&](const std::string& name) -> Result<void> {
    std::error_code failed;
    const uint64_t size = fs::file_size(dir + "/" + name, failed);
    if (failed) return errno_error(failed.value(), name);
    out.files[name] = size;
    if (size > kDocumentBytesMax) return {};
    KL_TRY_FN(text, read_file(*files, dir + "/" + name, kDocumentBytesMax));
    const size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || (text[first] != '{' && text[first] != '[')) return {};
    total += text.size();
    if (total > kDocumentsBytesMax) return Error(Code::too_large, "too much JSON");
    out.documents[name] = std::move(text);
    return {};
  };
  KL_CHECK_FN(add("index.json"));
  KL_TRY_FN(blobs, files->list(dir + "/blobs/sha256"));
  for (const auto& name : blobs)
    if (name.size() == 64) KL_CHECK_FN(add("blobs/sha256/" + name));
  return out;
}

Result<void> unpack_from_layout(const std::string& dir, const std::map<std::string, PlannedLayer>& missing,
                                NewLayers& layers) {
  for (const auto& [path, layer] : missing) {
    KL_TRY_FN(file, open_source(dir + "/" + path));
    KL_CHECK_FN(layers.unpack(layer, *file), "layer {}", path);
  }
  return {};
}

Result<void> unpack_missing(const std::string& archive_path, std::map<std::string, PlannedLayer> missing,
                            NewLayers& layers) {
  KL_TRY_FN(file, open_source(archive_path));
  const auto plain = decompress(*file);
  TarReader reader(*plain);
  while (!missing.empty()) {
    KL_TRY_FN(entry, reader.next());
    if (entry == nullptr) return Error(Code::invalid, "the file changed meanwhile");
    const char* raw = name_of(entry);
    if (raw == nullptr) continue;
    KL_TRY_FN(name, clean_entry_path(raw));
    const auto wanted = missing.find(name);
    if (wanted == missing.end() || archive_entry_filetype(entry) != AE_IFREG) continue;
    EntrySource bytes(reader);
    KL_CHECK_FN(layers.unpack(wanted->second, bytes), "layer {}", name);
    missing.erase(wanted);
  }
  return {};
}
}  // namespace

namespace {
Result<ArchiveContents> read_archive(const std::string& path) {
  KL_TRY_FN(file, open_source(path));
  return read_contents(*file);
}
}  // namespace

Result<std::vector<Image>> import_archive(const std::string& images_dir, const std::string& archive_path) {
  std::error_code failed;
  fs::create_directories(images_dir + "/layers", failed);
  if (failed) return errno_error(failed.value(), images_dir);
  const bool layout = fs::is_directory(archive_path, failed);
  KL_TRY_FN(contents, layout ? read_layout(archive_path) : read_archive(archive_path));
  KL_TRY_FN(plan, plan_import(contents, this_platform()));
  contents = {};
  auto missing = missing_layers(images_dir, plan);
  NewLayers layers(images_dir);
  if (layout)
    KL_CHECK_FN(unpack_from_layout(archive_path, missing, layers));
  else if (!missing.empty())
    KL_CHECK_FN(unpack_missing(archive_path, std::move(missing), layers));
  KL_CHECK_FN(layers.publish());
  std::vector<Image> out;
  for (auto& planned : plan) {
    for (const auto& diff_id : planned.image.layers) {
      KL_TRY_FN(size, layer_size(images_dir, diff_id));
      planned.image.size_bytes += size;
    }
    out.push_back(std::move(planned.image));
  }
  return out;
}

int unpack_main(const std::vector<std::string>& args) {
  if (args.size() != 2) {
    std::fputs("usage: kinglet unpack-image IMAGES-DIRECTORY ARCHIVE\n", stderr);
    return 2;
  }
  // Names in archives are UTF-8 or just bytes; in the C locale libarchive would refuse the former.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  ::umask(0);
  const auto images = import_archive(args[0], args[1]);
  if (!images) {
    std::fputs((images.error().message() + "\n").c_str(), stderr);
    return 1;
  }
  std::fputs(print_images(*images).c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace kinglet::runtime
