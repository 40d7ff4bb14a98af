#include "node/runtime/blob_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace kinglet::runtime {
namespace {
constexpr uint64_t kBlobBytesMax = uint64_t{64} << 30;
constexpr size_t kReadBytes = 64 << 10;

// "bytes 100-199/200" -> 100.
std::optional<uint64_t> start_of_range(std::string_view header) {
  constexpr std::string_view kUnit = "bytes ";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  uint64_t start = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), start);
  if (error != std::errc() || end == header.data() + header.size() || *end != '-')
    return std::nullopt;
  return start;
}
}  // namespace

BlobFile::BlobFile(UniqueFd fd, std::string path, int64_t bytes)
    : fd_(std::move(fd)),
      path_(std::move(path)),
      size_max_(bytes < 0 ? kBlobBytesMax : std::min(static_cast<uint64_t>(bytes), kBlobBytesMax)),
      hash_(std::make_unique<net::Sha256>()) {}

Result<std::unique_ptr<BlobFile>> BlobFile::open(const std::string& path, int64_t bytes) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return errno_error(errno, path);
  std::unique_ptr<BlobFile> out(new BlobFile(std::move(fd), path, bytes));
  KL_CHECK_FN(out->take_up());
  return out;
}

Result<void> BlobFile::take_up() {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return errno_error(errno, path_);
  if (static_cast<uint64_t>(info.st_size) > size_max_) return start_over();
  std::string buffer(kReadBytes, '\0');
  for (;;) {
    const ssize_t n = ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path_);
    if (n == 0) return {};
    hash_->update({buffer.data(), static_cast<size_t>(n)});
    size_ += static_cast<uint64_t>(n);
  }
}

Result<void> BlobFile::start_over() {
  if (::ftruncate(fd_.get(), 0) != 0) return errno_error(errno, path_);
  size_ = 0;
  hash_ = std::make_unique<net::Sha256>();
  return {};
}

Result<bool> BlobFile::begin(int status, const net::Headers& headers) {
  if (status == 206) {
    const auto start = start_of_range(headers.get("content-range"));
    if (start && *start == size_) return true;
    KL_CHECK_FN(start_over());
    return Error(Code::unavailable, "the registry answers with another part of the blob");
  }
  // 416: what is there is as long as the blob or longer, and yet not it.
  if (status == 416) KL_CHECK_FN(start_over());
  if (status != 200) return false;
  KL_CHECK_FN(start_over());
  return true;
}

Result<void> BlobFile::write(std::string_view bytes) {
  if (bytes.size() > size_max_ - size_)
    return Error(Code::too_large, "the blob is larger than the {} bytes of its manifest",
                 size_max_);
  hash_->update(bytes);
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path_);
    bytes.remove_prefix(static_cast<size_t>(n));
    size_ += static_cast<uint64_t>(n);
    received_ += static_cast<uint64_t>(n);
  }
  return {};
}

std::string BlobFile::finish() { return "sha256:" + net::to_hex(hash_->finish()); }

Result<void> BlobFile::publish(const std::string& path) {
  if (::rename(path_.c_str(), path.c_str()) != 0) return errno_error(errno, path);
  return {};
}

void BlobFile::discard() { ::unlink(path_.c_str()); }

}  // namespace kinglet::runtime
