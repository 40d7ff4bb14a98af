#include "node/runtime/layer_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cerrno>

namespace kinglet::runtime {
namespace {
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufsPrefix = ".wh..wh.";

std::string child_path(int parent, const std::string& base) { return fd_path(parent) + "/" + base; }

// Whatever an earlier entry of that name made. Directories stay when a directory comes again.
Result<void> clear_place(int parent, const std::string& base, bool for_directory) {
  struct stat info {};
  if (::fstatat(parent, base.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return errno_error(errno, base);
  }
  if (S_ISDIR(info.st_mode) && for_directory) return {};
  if (::unlinkat(parent, base.c_str(), S_ISDIR(info.st_mode) ? AT_REMOVEDIR : 0) != 0)
    return errno_error(errno, fmt::format("replace {}", base));
  return {};
}

Result<void> write_all(int fd, std::string_view data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "write");
    data.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

// "trusted." would let an archive speak to overlayfs itself; "system." are ACLs of other machines' users.
bool is_welcome_xattr(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability";
}
}  // namespace

Result<std::string> clean_entry_path(std::string_view name) {
  if (name.size() > kPathBytesMax) return Error(Code::invalid, "a name is too long");
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const auto part = name.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return Error(Code::invalid, "\"{}\" points outside with \"..\"", name);
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

Result<LayerWriter> LayerWriter::open(const std::string& directory) {
  KL_TRY_FN(root, RootedDir::open(directory));
  return LayerWriter(std::move(root));
}

Result<void> LayerWriter::unpack(TarReader& reader) {
  for (;;) {
    KL_TRY_FN(entry, reader.next());
    if (entry == nullptr) break;
    if (++entries_ > kLayerEntriesMax)
      return Error(Code::too_large, "more than {} files", kLayerEntriesMax);
    const char* name = name_of(entry);
    KL_CHECK_FN(add(entry, reader), "{}", name == nullptr ? "?" : name);
  }
  return set_directory_times();
}

Result<int> LayerWriter::parent_of(const std::string& path, std::string& base) {
  const size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash);
  base = slash == std::string::npos ? path : path.substr(slash + 1);
  // Neighbours come together in archives: mostly the same parent again. Only symlinks and removals could
  // make a kept descriptor wrong, and make() forgets it then.
  if (parent != last_parent_path_) {
    KL_TRY_FN(fd, root_.make_dirs(parent));
    last_parent_ = std::move(fd);
    last_parent_path_ = parent;
  }
  return last_parent_.get();
}

Result<void> LayerWriter::add(archive_entry* entry, TarReader& reader) {
  const char* name = name_of(entry);
  if (name == nullptr) return Error(Code::invalid, "an entry has no readable name");
  KL_TRY_FN(path, clean_entry_path(name));
  if (path.empty()) {  // the top directory itself: its mode matters to processes that are not root
    if (archive_entry_filetype(entry) != AE_IFDIR) return Error(Code::invalid, "no name");
    const mode_t mode = archive_entry_perm(entry) & 07777;
    const auto owner = static_cast<uid_t>(archive_entry_uid(entry));
    const auto group = static_cast<gid_t>(archive_entry_gid(entry));
    if (::chown(fd_path(root_.fd()).c_str(), owner, group) != 0 ||
        ::chmod(fd_path(root_.fd()).c_str(), mode) != 0)
      return errno_error(errno, "set attributes");
    return {};
  }
  std::string base;
  KL_TRY_FN(parent, parent_of(path, base));
  if (base.starts_with(kWhiteout)) return whiteout(parent, base);
  return make(entry, reader, parent, base, path);
}

Result<void> LayerWriter::whiteout(int parent, const std::string& base) {
  if (base == kOpaque) {
    if (::setxattr(fd_path(parent).c_str(), "trusted.overlay.opaque", "y", 1, 0) != 0)
      return errno_error(errno, "mark a directory opaque");
    return {};
  }
  if (base.starts_with(kAufsPrefix)) return {};  // aufs' own bookkeeping
  const std::string hidden = base.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..")
    return Error(Code::invalid, "a whiteout of nothing");
  KL_CHECK_FN(clear_place(parent, hidden, false));
  if (::mknodat(parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) != 0)
    return errno_error(errno, "make a whiteout");
  return {};
}

Result<void> LayerWriter::link(const std::string& target, int parent, const std::string& base) {
  KL_TRY_FN(path, clean_entry_path(target));
  const size_t slash = path.rfind('/');
  const auto target_dir = slash == std::string::npos ? std::string() : path.substr(0, slash);
  const auto target_base = slash == std::string::npos ? path : path.substr(slash + 1);
  KL_TRY_FN(dir, root_.find(target_dir), "link to {}", target);
  if (::linkat(dir.get(), target_base.c_str(), parent, base.c_str(), 0) != 0)
    return errno_error(errno, fmt::format("link to {}", target));
  return {};
}

Result<void> LayerWriter::make(archive_entry* entry, TarReader& reader, int parent,
                               const std::string& base, const std::string& path) {
  const auto type = archive_entry_filetype(entry);
  const char* hardlink = archive_entry_hardlink(entry);
  if (hardlink == nullptr) hardlink = archive_entry_hardlink_utf8(entry);
  KL_CHECK_FN(clear_place(parent, base, type == AE_IFDIR && hardlink == nullptr));
  if (hardlink != nullptr) return link(hardlink, parent, base);
  switch (type) {
    case AE_IFREG:
      KL_CHECK_FN(write_file(reader, parent, base, static_cast<uint64_t>(archive_entry_size(entry))));
      break;
    case AE_IFDIR:
      if (::mkdirat(parent, base.c_str(), 0700) != 0 && errno != EEXIST)
        return errno_error(errno, "make directory");
      directory_times_.emplace_back(path,
                                    timespec{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)});
      break;
    case AE_IFLNK: {
      const char* target = archive_entry_symlink(entry);
      if (target == nullptr) target = archive_entry_symlink_utf8(entry);
      if (target == nullptr || *target == '\0') return Error(Code::invalid, "a symlink to nothing");
      if (::symlinkat(target, parent, base.c_str()) != 0) return errno_error(errno, "symlink");
      last_parent_path_ = "\n";  // it may have taken the place of a directory
      break;
    }
    case AE_IFIFO:
      if (::mkfifoat(parent, base.c_str(), 0600) != 0) return errno_error(errno, "make FIFO");
      break;
    case AE_IFCHR:
    case AE_IFBLK: {
      const dev_t device = archive_entry_rdev(entry);
      // Overlayfs would read this as a whiteout, which archives write otherwise.
      if (type == AE_IFCHR && device == makedev(0, 0)) return Error(Code::invalid, "a device 0/0");
      if (::mknodat(parent, base.c_str(), type | 0600, device) != 0) {
        // Where devices may not be made (a container), the image works without: /dev is mounted over.
        if (errno == EPERM) return {};
        return errno_error(errno, "make device");
      }
      break;
    }
    default:
      return {};  // sockets and doors mean nothing in an image
  }
  return set_attributes(entry, parent, base);
}

Result<void> LayerWriter::write_file(TarReader& reader, int parent, const std::string& base,
                                     uint64_t size) {
  const UniqueFd file(
      ::openat(parent, base.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return errno_error(errno, "create");
  if (size > kLayerBytesMax) return Error(Code::too_large, "a file of {} bytes", size);
  uint64_t end = 0;
  for (;;) {
    KL_TRY_FN(block, reader.block());
    if (block.data.empty()) break;
    if (block.offset > size || block.data.size() > size - block.offset)
      return Error(Code::invalid, "more data than its size says");
    KL_CHECK_FN(write_all(file.get(), block.data, block.offset));
    bytes_ += block.data.size();
    end = block.offset + block.data.size();
  }
  if (end < size && ::ftruncate(file.get(), static_cast<off_t>(size)) != 0)
    return errno_error(errno, "truncate");
  return {};
}

Result<void> LayerWriter::set_attributes(archive_entry* entry, int parent, const std::string& base) {
  const bool symlink = archive_entry_filetype(entry) == AE_IFLNK;
  const auto owner = static_cast<uid_t>(archive_entry_uid(entry));
  const auto group = static_cast<gid_t>(archive_entry_gid(entry));
  if (::fchownat(parent, base.c_str(), owner, group, AT_SYMLINK_NOFOLLOW) != 0)
    return errno_error(errno, "change owner");
  // After the owner: a change of owner clears the setuid bits, and security.capability.
  if (!symlink && ::fchmodat(parent, base.c_str(), archive_entry_perm(entry) & 07777, 0) != 0)
    return errno_error(errno, "change mode");
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  archive_entry_xattr_reset(entry);
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    if (name == nullptr || !is_welcome_xattr(name)) continue;
    if (::lsetxattr(child_path(parent, base).c_str(), name, value, size, 0) != 0 &&
        errno != ENOTSUP && errno != EPERM)
      return errno_error(errno, fmt::format("set attribute {}", name));
  }
  const timespec mtime{archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  const timespec times[2] = {mtime, mtime};
  if (archive_entry_mtime_is_set(entry) != 0 && archive_entry_filetype(entry) != AE_IFDIR)
    ::utimensat(parent, base.c_str(), times, AT_SYMLINK_NOFOLLOW);  // a strange time is no reason to refuse
  return {};
}

Result<void> LayerWriter::set_directory_times() {
  for (const auto& [path, time] : directory_times_) {
    const auto dir = root_.find(path, RootedDir::Last::keep);
    if (!dir) continue;  // a later entry took its place
    const timespec times[2] = {time, time};
    ::utimensat(AT_FDCWD, fd_path(dir->get()).c_str(), times, 0);
  }
  return {};
}

}  // namespace kinglet::runtime
