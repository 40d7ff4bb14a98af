// FakeDisk: what is written is seen at once, but survives crash() only when it was synced.
#include <cerrno>
#include <set>

#include "base/files.h"

namespace kinglet {
namespace {

constexpr size_t kSectorBytes = 512;

void apply_write(std::string& content, uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  content.replace(offset, bytes.size(), bytes);
}

struct Inode {
  struct Change {
    uint64_t offset;
    std::string bytes;
    bool truncate;  // to `offset`
  };
  std::string content;
  std::string safe;
  std::vector<Change> unsynced;

  void sync() {
    safe = content;
    unsynced.clear();
  }
  void lose(Random* random) {
    for (const auto& change : unsynced) {
      if (random == nullptr) break;
      if (change.truncate) {
        if (random->below(2) == 0) safe.resize(change.offset);
        continue;
      }
      for (size_t at = 0; at < change.bytes.size(); at += kSectorBytes)
        if (random->below(2) == 0)
          apply_write(safe, change.offset + at,
                      std::string_view(change.bytes).substr(at, kSectorBytes));
    }
    unsynced.clear();
    content = safe;
  }
};
using InodeRef = std::shared_ptr<Inode>;
using Names = std::map<std::string, InodeRef>;

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A change of names: `path` now is `inode` (null: gone). A rename is one change, as journals keep
// it.
struct NameChange {
  std::string dir;
  std::vector<std::pair<std::string, InodeRef>> sets;
};

class Disk final : public FakeDisk {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, uint32_t) override;
  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto it = names_.find(from);
    if (it == names_.end()) return errno_error(ENOENT, "rename " + from);
    KL_CHECK_FN(spend(from));
    const InodeRef inode = it->second;
    change({parent_of(to), {{from, nullptr}, {to, inode}}});
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (dirs_.erase(path) > 0) return {};
    if (!names_.contains(path)) return errno_error(ENOENT, "remove " + path);
    change({parent_of(path), {{path, nullptr}}});
    return {};
  }
  Result<void> make_dirs(const std::string& path, uint32_t) override {
    for (std::string dir = path; dir != "/" && dir != "."; dir = parent_of(dir)) dirs_.insert(dir);
    return {};
  }
  Result<void> sync_dir(const std::string& path) override {
    KL_CHECK_FN(spend(path));
    std::vector<NameChange> others;
    for (auto& change : unsynced_names_) {
      if (change.dir == path)
        apply(safe_names_, change);
      else
        others.push_back(std::move(change));
    }
    unsynced_names_ = std::move(others);
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& dir) override {
    std::vector<std::string> found;
    for (const auto& [path, inode] : names_)
      if (parent_of(path) == dir) found.push_back(path.substr(path.find_last_of('/') + 1));
    for (const auto& path : dirs_)
      if (parent_of(path) == dir) found.push_back(path.substr(path.find_last_of('/') + 1));
    std::sort(found.begin(), found.end());
    if (found.empty() && !dirs_.contains(dir) && dir != "/" && dir != ".")
      return errno_error(ENOENT, "list " + dir);
    return found;
  }
  bool exists(const std::string& path) override {
    return names_.contains(path) || dirs_.contains(path);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  void crash() override { crash_with(nullptr); }
  void crash_keeping_some(Random& random) override { crash_with(&random); }
  void fail_after(int writes, int error_number) override {
    writes_left_ = writes;
    error_number_ = error_number;
  }
  void work_again() override { error_number_ = 0; }

  // Counts one write or sync; the disk may refuse it.
  Result<void> spend(const std::string& what) {
    if (error_number_ == 0 || --writes_left_ > 0) return {};
    writes_left_ = 0;
    return errno_error(error_number_, "write " + what);
  }
  int life() const { return life_; }
  std::set<std::string>& locked() { return locked_; }

 private:
  static void apply(Names& names, const NameChange& change) {
    for (const auto& [path, inode] : change.sets) {
      if (inode)
        names[path] = inode;
      else
        names.erase(path);
    }
  }
  void change(NameChange change) {
    apply(names_, change);
    unsynced_names_.push_back(std::move(change));
  }
  void crash_with(Random* random) {
    const size_t kept = random == nullptr ? 0 : random->below(unsynced_names_.size() + 1);
    for (size_t i = 0; i < kept; ++i) apply(safe_names_, unsynced_names_[i]);
    unsynced_names_.clear();
    names_ = safe_names_;
    for (auto& [path, inode] : names_) inode->lose(random);
    locked_.clear();
    ++life_;
  }

  Names names_, safe_names_;
  std::vector<NameChange> unsynced_names_;
  std::set<std::string> dirs_;
  std::set<std::string> locked_;
  int life_ = 0;  // a file or lock of an earlier life is dead
  int writes_left_ = 0;
  int error_number_ = 0;
};

class DiskFile final : public File {
 public:
  DiskFile(Disk& disk, InodeRef inode, std::string path)
      : disk_(disk), inode_(std::move(inode)), path_(std::move(path)), life_(disk.life()) {}
  Result<size_t> read_at(uint64_t offset, std::span<char> out) override {
    KL_CHECK_FN(alive());
    if (offset >= inode_->content.size()) return size_t{0};
    return inode_->content.copy(out.data(), out.size(), offset);
  }
  Result<void> write_at(uint64_t offset, std::string_view bytes) override {
    KL_CHECK_FN(alive());
    KL_CHECK_FN(disk_.spend(path_));
    apply_write(inode_->content, offset, bytes);
    inode_->unsynced.push_back({offset, std::string(bytes), false});
    return {};
  }
  Result<void> truncate(uint64_t size) override {
    KL_CHECK_FN(alive());
    KL_CHECK_FN(disk_.spend(path_));
    inode_->content.resize(size);
    inode_->unsynced.push_back({size, {}, true});
    return {};
  }
  Result<void> sync() override {
    KL_CHECK_FN(alive());
    KL_CHECK_FN(disk_.spend(path_));
    inode_->sync();
    return {};
  }
  Result<uint64_t> size() override {
    KL_CHECK_FN(alive());
    return static_cast<uint64_t>(inode_->content.size());
  }

 private:
  Result<void> alive() const {
    if (life_ == disk_.life()) return {};
    return Error(Code::io, "{}: opened before the power went", path_);
  }
  Disk& disk_;
  InodeRef inode_;
  std::string path_;
  int life_;
};

class DiskLock final : public FileLock {
 public:
  DiskLock(Disk& disk, std::string path)
      : disk_(disk), path_(std::move(path)), life_(disk.life()) {}
  ~DiskLock() override {
    if (life_ == disk_.life()) disk_.locked().erase(path_);
  }

 private:
  Disk& disk_;
  std::string path_;
  int life_;
};

Result<std::unique_ptr<File>> Disk::open(const std::string& path, OpenMode mode, uint32_t) {
  if (dirs_.contains(path)) return errno_error(EISDIR, "open " + path);
  auto it = names_.find(path);
  if (it != names_.end() && mode == OpenMode::create_new)
    return errno_error(EEXIST, "open " + path);
  if (it == names_.end()) {
    if (mode == OpenMode::read || mode == OpenMode::read_write)
      return errno_error(ENOENT, "open " + path);
    KL_CHECK_FN(spend(path));
    change({parent_of(path), {{path, std::make_shared<Inode>()}}});
    it = names_.find(path);
  }
  return std::unique_ptr<File>(std::make_unique<DiskFile>(*this, it->second, path));
}

Result<std::unique_ptr<FileLock>> Disk::lock(const std::string& path) {
  if (!locked_.insert(path).second)
    return Error(Code::unavailable, "{} is locked by another process", path);
  return std::unique_ptr<FileLock>(std::make_unique<DiskLock>(*this, path));
}

}  // namespace

std::unique_ptr<FakeDisk> make_fake_disk() { return std::make_unique<Disk>(); }

}  // namespace kinglet
