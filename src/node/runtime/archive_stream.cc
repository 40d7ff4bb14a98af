#include "node/runtime/archive_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace {
constexpr size_t kReadBytes = 64 << 10;

Error archive_error(archive* a, const char* what) {
  const char* text = archive_error_string(a);
  return Error(Code::invalid, "{}: {}", what, text == nullptr ? "damaged" : text);
}

class FileSource final : public ByteSource {
 public:
  FileSource(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<std::string_view> next() override {
    for (;;) {
      const ssize_t n = ::read(fd_.get(), buffer_.data(), buffer_.size());
      if (n >= 0) return std::string_view(buffer_.data(), static_cast<size_t>(n));
      if (errno != EINTR) return errno_error(errno, path_);
    }
  }

 private:
  UniqueFd fd_;
  std::string path_;
  std::string buffer_ = std::string(kReadBytes, '\0');
};
}  // namespace

// What libarchive calls to get bytes; keeps our own error, which says more than libarchive's.
struct TarReader::Callback {
  ByteSource& from;
  std::optional<Error> failure;
  static la_ssize_t read(archive* a, void* self_pointer, const void** out) {
    auto* self = static_cast<Callback*>(self_pointer);
    auto piece = self->from.next();
    if (!piece) {
      archive_set_error(a, EIO, "%s", piece.error().message().c_str());
      self->failure = std::move(piece.error());
      return -1;
    }
    *out = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }
  Error error(archive* a, const char* what) {
    return failure ? *failure : archive_error(a, what);
  }
};

TarReader::TarReader(ByteSource& from)
    : callback_(new Callback{from, std::nullopt}), archive_(archive_read_new()) {
  // No filters and no other formats: some of libarchive's run programs.
  archive_read_support_format_tar(archive_);
  archive_read_support_format_empty(archive_);
  archive_read_open(archive_, callback_.get(), nullptr, &Callback::read, nullptr);
}
TarReader::~TarReader() { archive_read_free(archive_); }

Result<archive_entry*> TarReader::next() {
  archive_entry* entry = nullptr;
  const int got = archive_read_next_header(archive_, &entry);
  if (got == ARCHIVE_EOF) return nullptr;
  // A warning is about names that cannot be shown in this locale; the bytes are still there.
  if (got != ARCHIVE_OK && got != ARCHIVE_WARN) return callback_->error(archive_, "not a tar archive");
  return entry;
}

Result<ArchiveBlock> TarReader::block() {
  const void* data = nullptr;
  size_t size = 0;
  la_int64_t offset = 0;
  while (size == 0) {  // a hole at the end may come as an empty block
    const int got = archive_read_data_block(archive_, &data, &size, &offset);
    if (got == ARCHIVE_EOF) return ArchiveBlock{};
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
      return callback_->error(archive_, "damaged tar archive");
  }
  return ArchiveBlock{{static_cast<const char*>(data), size}, static_cast<uint64_t>(offset)};
}

Result<std::string_view> EntrySource::next() {
  KL_TRY_FN(block, reader_.block());
  return block.data;
}

Result<std::unique_ptr<ByteSource>> open_source(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, path);
  return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(std::move(fd), path));
}

namespace {
class DecompressedSource final : public ByteSource {
 public:
  explicit DecompressedSource(ByteSource& from) : from_(from) {}
  ~DecompressedSource() override {
    if (archive_ != nullptr) archive_read_free(archive_);
  }
  Result<std::string_view> next() override {
    if (ended_) return std::string_view();
    if (archive_ == nullptr) KL_CHECK_FN(open());
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    while (!ended_ && size == 0) {
      const int got = archive_read_data_block(archive_, &data, &size, &offset);
      if (got == ARCHIVE_EOF)
        ended_ = true;
      else if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
        return failed("damaged compressed data");
    }
    return ended_ ? std::string_view() : std::string_view(static_cast<const char*>(data), size);
  }

 private:
  Result<void> open() {
    archive_ = archive_read_new();
    archive_read_support_filter_gzip(archive_);
    archive_read_support_filter_zstd(archive_);
    archive_read_support_filter_xz(archive_);
    archive_read_support_filter_bzip2(archive_);
    archive_read_support_format_raw(archive_);
    archive_read_support_format_empty(archive_);
    archive_read_open(archive_, this, nullptr, &DecompressedSource::read, nullptr);
    archive_entry* entry = nullptr;
    const int got = archive_read_next_header(archive_, &entry);
    if (got == ARCHIVE_EOF)
      ended_ = true;
    else if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
      return failed("damaged compressed data");
    return {};
  }
  Error failed(const char* what) { return failure_ ? *failure_ : archive_error(archive_, what); }
  static la_ssize_t read(archive* a, void* self_pointer, const void** out) {
    auto* self = static_cast<DecompressedSource*>(self_pointer);
    auto piece = self->from_.next();
    if (!piece) {
      archive_set_error(a, EIO, "%s", piece.error().message().c_str());
      self->failure_ = std::move(piece.error());
      return -1;
    }
    *out = piece->data();
    return static_cast<la_ssize_t>(piece->size());
  }
  ByteSource& from_;
  archive* archive_ = nullptr;
  std::optional<Error> failure_;
  bool ended_ = false;
};
}  // namespace

std::unique_ptr<ByteSource> decompress(ByteSource& from) {
  return std::make_unique<DecompressedSource>(from);
}

Result<std::string_view> HashedSource::next() {
  KL_TRY_FN(piece, from_.next());
  bytes_ += piece.size();
  if (bytes_ > bytes_max_)
    return Error(Code::too_large, "more than {} MiB of data", bytes_max_ >> 20);
  hash_.update(piece);
  return piece;
}

Result<std::string> HashedSource::finish() {
  for (;;) {
    KL_TRY_FN(piece, next());
    if (piece.empty()) return "sha256:" + net::to_hex(hash_.finish());
  }
}

const char* name_of(archive_entry* entry) {
  const char* name = archive_entry_pathname(entry);
  return name != nullptr ? name : archive_entry_pathname_utf8(entry);
}

}  // namespace kinglet::runtime
