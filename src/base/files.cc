#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace kinglet {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(std::unique_ptr<Descriptor> fd) : fd_(std::move(fd)) {}

 private:
  std::unique_ptr<Descriptor> fd_;  // closing it releases the lock
};

class SystemFile final : public File {
 public:
  SystemFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  Result<size_t> read_at(uint64_t offset, std::span<char> out) override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, "read " + path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }
  Result<void> write_at(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, "write " + path_);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset += static_cast<uint64_t>(n);
    }
    return {};
  }
  Result<void> truncate(uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
      return errno_error(errno, "truncate " + path_);
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return errno_error(errno, "sync " + path_);
    return {};
  }
  Result<uint64_t> size() override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) != 0) return errno_error(errno, "stat " + path_);
    return static_cast<uint64_t>(st.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::read:
      return O_RDONLY;
    case OpenMode::read_write:
      return O_RDWR;
    case OpenMode::create:
      return O_RDWR | O_CREAT;
    case OpenMode::create_new:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class SystemFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                     uint32_t permissions) override {
    const int fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, permissions);
    if (fd < 0) return errno_error(errno, "open " + path);
    return std::unique_ptr<File>(std::make_unique<SystemFile>(fd, path));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0)
      return errno_error(errno, "rename " + from + " to " + to);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return errno_error(errno, "remove " + path);
    return {};
  }
  Result<void> make_dirs(const std::string& path, uint32_t permissions) override {
    if (path.empty() || path == "/" || path == ".") return {};
    struct stat st {};
    if (::stat(path.c_str(), &st) == 0) {
      if (S_ISDIR(st.st_mode)) return {};
      return errno_error(ENOTDIR, "make directory " + path);
    }
    KL_CHECK_FN(make_dirs(parent_of(path), permissions));
    if (::mkdir(path.c_str(), permissions) != 0 && errno != EEXIST)
      return errno_error(errno, "make directory " + path);
    return sync_dir(parent_of(path));
  }
  Result<void> sync_dir(const std::string& path) override {
    const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return errno_error(errno, "open " + path);
    // Some file systems cannot sync a directory (EINVAL): their names are as safe as they get.
    if (::fsync(fd.get()) != 0 && errno != EINVAL) return errno_error(errno, "sync " + path);
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& dir) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> open_dir(::opendir(dir.c_str()), ::closedir);
    if (!open_dir) return errno_error(errno, "list " + dir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(open_dir.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return errno_error(errno, "list " + dir);
    std::sort(names.begin(), names.end());
    return names;
  }
  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    auto fd =
        std::make_unique<Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (fd->get() < 0) return errno_error(errno, "open " + path);
    if (::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return Error(Code::unavailable, "{} is locked by another process", path);
      return errno_error(errno, "lock " + path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<SystemLock>(std::move(fd)));
  }
};

}  // namespace

std::unique_ptr<Files> make_system_files() { return std::make_unique<SystemFiles>(); }

Result<std::string> read_file(Files& files, const std::string& path, size_t bytes_max) {
  KL_TRY_FN(file, files.open(path, OpenMode::read));
  // Files in /proc and pipes have no size of their own: read until the end.
  std::string text;
  constexpr size_t kChunkBytes = 64 << 10;
  KL_TRY_FN(expected, file->size());
  size_t chunk = std::clamp<size_t>(expected + 1, 1024, kChunkBytes);
  for (;;) {
    const size_t before = text.size();
    text.resize(before + chunk);
    KL_TRY_FN(n, file->read_at(before, std::span(text).subspan(before)));
    text.resize(before + n);
    if (text.size() > bytes_max)
      return Error(Code::too_large, "{} is larger than {} bytes", path, bytes_max);
    if (n < chunk) return text;
    chunk = kChunkBytes;
  }
}

Result<void> write_file(Files& files, const std::string& path, std::string_view bytes,
                        uint32_t permissions) {
  // Two writers of one path must not share a temporary file; a leftover of a crash may lie there.
  static std::atomic<uint32_t> number{0};
  const std::string temporary = fmt::format("{}.tmp{}", path, number.fetch_add(1));
  if (files.exists(temporary)) KL_CHECK_FN(files.remove(temporary));
  const auto write = [&]() -> Result<void> {
    KL_TRY_FN(file, files.open(temporary, OpenMode::create_new, permissions));
    KL_CHECK_FN(file->write_at(0, bytes));
    KL_CHECK_FN(file->sync());
    return files.rename(temporary, path);
  };
  auto written = write();
  if (!written) {
    const auto ignored = files.remove(temporary);  // the first error is the one to tell
    return written;
  }
  // Without this the bytes are safe but the name may still point to the old ones after a power cut.
  return files.sync_dir(parent_of(path));
}

}  // namespace kinglet
