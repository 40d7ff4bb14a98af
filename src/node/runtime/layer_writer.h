// Unpacks one image layer into a directory, in the form that overlayfs understands.
// Source: OCI image-spec, layer.md (whiteouts); kernel Documentation/filesystems/overlayfs.rst.
#pragma once
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/runtime/archive_stream.h"
#include "node/runtime/rooted_path.h"

namespace kinglet::runtime {

constexpr uint64_t kLayerBytesMax = uint64_t{16} << 30;  // no small machine holds more
constexpr size_t kLayerEntriesMax = 2'000'000;
constexpr size_t kPathBytesMax = 4096;

class LayerWriter {
 public:
  // `directory` exists and is empty.
  static Result<LayerWriter> open(const std::string& directory);
  // Everything in `reader`. Errors: invalid (what the archive may not have), io (disk full).
  Result<void> unpack(TarReader& reader);
  uint64_t bytes() const { return bytes_; }  // of file contents

 private:
  explicit LayerWriter(RootedDir root) : root_(std::move(root)) {}
  Result<void> add(archive_entry* entry, TarReader& reader);
  Result<int> parent_of(const std::string& path, std::string& base);
  Result<void> whiteout(int parent, const std::string& base);
  Result<void> make(archive_entry* entry, TarReader& reader, int parent, const std::string& base,
                    const std::string& path);
  Result<void> write_file(TarReader& reader, int parent, const std::string& base, uint64_t size);
  Result<void> link(const std::string& target, int parent, const std::string& base);
  Result<void> set_attributes(archive_entry* entry, int parent, const std::string& base);
  Result<void> set_directory_times();

  RootedDir root_;
  UniqueFd last_parent_;
  std::string last_parent_path_ = "\n";  // no path
  uint64_t bytes_ = 0;
  size_t entries_ = 0;
  // Set at the end: making files in a directory changes its time.
  std::vector<std::pair<std::string, timespec>> directory_times_;
};

// A name in an archive as a path without "." and doubled slashes; "" is the top. Errors: invalid for "..", which no
// honest image has.
Result<std::string> clean_entry_path(std::string_view name);

}  // namespace kinglet::runtime
