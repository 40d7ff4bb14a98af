// Reading tar archives and compressed streams by libarchive, one inside the other, without holding them in memory.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/crypto.h"

struct archive;
struct archive_entry;

namespace kinglet::runtime {

// Bytes in pieces; an empty piece is the end. A piece is valid until the next call.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<std::string_view> next() = 0;
};

// Passes on what it reads and hashes it. `bytes_max` guards against archives that unpack to more than any disk holds.
class HashedSource final : public ByteSource {
 public:
  HashedSource(ByteSource& from, uint64_t bytes_max) : from_(from), bytes_max_(bytes_max) {}
  Result<std::string_view> next() override;
  // Reads what is left, so that the hash is of the whole.
  Result<std::string> finish();  // "sha256:<hex>"

 private:
  ByteSource& from_;
  uint64_t bytes_max_;
  uint64_t bytes_ = 0;
  net::Sha256 hash_;
};

// gzip, zstd, xz, bzip2, or nothing: by their first bytes.
std::unique_ptr<ByteSource> decompress(ByteSource& from);

struct ArchiveBlock {
  std::string_view data;  // empty: the end
  uint64_t offset = 0;    // sparse files have holes before it
};

// The entries of a tar, in order.
class TarReader {
 public:
  // `from` is a plain tar; it outlives the reader.
  explicit TarReader(ByteSource& from);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  // The next entry, or null at the end; owned by the reader, valid until the next call. Errors: invalid.
  Result<archive_entry*> next();
  // The current entry's bytes.
  Result<ArchiveBlock> block();

 private:
  struct Callback;
  std::unique_ptr<Callback> callback_;
  archive* archive_;
};

// A file on disk as a source. Errors: not_found, io.
Result<std::unique_ptr<ByteSource>> open_source(const std::string& path);

// The current entry of a reader as a source (for an archive inside an archive).
class EntrySource final : public ByteSource {
 public:
  explicit EntrySource(TarReader& reader) : reader_(reader) {}
  Result<std::string_view> next() override;

 private:
  TarReader& reader_;
};

// The entry's name in the bytes that the archive has; null when it has none that can be read.
const char* name_of(archive_entry* entry);

}  // namespace kinglet::runtime
