// Files: the file system behind a seam, so that tests can cut the power.
//
// Errors: not_found, already_exists, io (with the path and strerror). Blocking: call it at start-up, for
// small files, or on a Worker. Durability is explicit: sync() makes a file's bytes safe, sync_dir() the
// names in a directory.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace kinglet {

class File {
 public:
  virtual ~File() = default;
  virtual Result<size_t> read_at(uint64_t offset, std::span<char> out) = 0;  // short only at the end
  virtual Result<void> write_at(uint64_t offset, std::string_view bytes) = 0;
  virtual Result<void> truncate(uint64_t size) = 0;
  virtual Result<void> sync() = 0;
  virtual Result<uint64_t> size() = 0;
};

enum class OpenMode { read, read_write, create /* opens an existing one too */, create_new };

// Held until destroyed; the kernel releases it when the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                             uint32_t permissions = 0600) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // With all parents; their names are durable when it returns. An existing directory is left as it is.
  virtual Result<void> make_dirs(const std::string& path, uint32_t permissions = 0700) = 0;
  virtual Result<void> sync_dir(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& dir) = 0;  // names, sorted
  virtual bool exists(const std::string& path) = 0;
  // Creates the file if need be. Errors: unavailable (somebody else, in this process or another, holds it).
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

std::unique_ptr<Files> make_system_files();

// A disk in memory; one thread at a time, but not always the same one.
// crash() forgets every byte and every name that was not synced; crash_keeping_some() keeps a random part of
// them, in sectors of 512 bytes and in any order, as a real disk may. Files open at that time return errors.
// fail_after(n) makes the n-th next write or sync, and all later ones, fail with `io` (a full or dying disk).
class FakeDisk : public Files {
 public:
  virtual void crash() = 0;
  virtual void crash_keeping_some(Random& random) = 0;
  virtual void fail_after(int writes, int error_number) = 0;
  virtual void work_again() = 0;
};
std::unique_ptr<FakeDisk> make_fake_disk();

// Whole small files. write_file is atomic and durable: temporary file, sync, rename, sync of the directory.
constexpr size_t kReadFileBytesMax = 16 << 20;
Result<std::string> read_file(Files& files, const std::string& path, size_t bytes_max = kReadFileBytesMax);
Result<void> write_file(Files& files, const std::string& path, std::string_view bytes,
                        uint32_t permissions = 0600);

}  // namespace kinglet
