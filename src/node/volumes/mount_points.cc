#include "node/volumes/mount_points.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "node/runtime/unique_fd.h"
#include "node/volumes/volume_files.h"

namespace kinglet::node {
namespace {

using runtime::UniqueFd;

// mountinfo writes blanks and backslashes as octal escapes.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Mount points, in the order in which they were mounted.
std::vector<std::string> mounts_at_or_below(const std::string& dir) {
  std::vector<std::string> out;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5; ++i) fields >> field;
    const std::string point = unescaped(field);
    if (point == dir || point.rfind(dir + "/", 0) == 0) out.push_back(point);
  }
  return out;
}

// Opens a path below `root` without ever leaving it (openat2, Linux 5.6).
int open_beneath(int root, const std::string& path, uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

// Makes the directories of `path` that are missing, each opened beneath the volume first.
Result<void> make_beneath(int root, const std::string& path) {
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    UniqueFd there(open_beneath(root, part, O_PATH));
    if (there.get() < 0) {
      if (errno != ENOENT) return Error(Code::invalid, "subPath \"{}\" leads out of its volume", path);
      const size_t slash = part.rfind('/');
      UniqueFd parent(open_beneath(root, slash == std::string::npos ? "." : part.substr(0, slash), O_PATH));
      if (parent.get() < 0) return errno_error(errno, part);
      const std::string name = slash == std::string::npos ? part : part.substr(slash + 1);
      if (::mkdirat(parent.get(), name.c_str(), 0777) != 0 && errno != EEXIST) return errno_error(errno, part);
    }
    if (end == std::string::npos) return {};
  }
}

Result<void> make_target(const std::string& target, bool directory) {
  std::error_code bad;
  const std::filesystem::path path = target;
  std::filesystem::create_directories(directory ? path : path.parent_path(), bad);
  if (bad) return Error(Code::io, "{}: {}", target, bad.message());
  if (directory) return {};
  UniqueFd file(::open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  return file.get() < 0 ? Result<void>(errno_error(errno, target)) : Result<void>();
}

}  // namespace

Result<void> mount_tmpfs(const std::string& dir, uint64_t size_bytes, uint32_t mode, std::optional<int64_t> group) {
  std::error_code bad;
  std::filesystem::create_directories(dir, bad);
  if (bad) return Error(Code::io, "{}: {}", dir, bad.message());
  const auto present = mounts_at_or_below(dir);
  if (std::find(present.begin(), present.end(), dir) != present.end()) return {};
  std::string options = fmt::format("mode={:o}", mode);
  if (group) options += fmt::format(",gid={}", *group);
  if (size_bytes > 0) options += fmt::format(",size={}", size_bytes);
  if (::mount("tmpfs", dir.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0)
    return errno_error(errno, "mount tmpfs on " + dir);
  return {};
}

Result<void> bind_sub_path(const std::string& volume, const std::string& sub_path, const std::string& target) {
  KL_CHECK_FN(check_volume_path(sub_path));
  UniqueFd root(::open(volume.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.get() < 0) return errno_error(errno, volume);
  KL_CHECK_FN(make_beneath(root.get(), sub_path));
  UniqueFd file(open_beneath(root.get(), sub_path, O_PATH));
  if (file.get() < 0) return Error(Code::invalid, "subPath \"{}\" leads out of its volume", sub_path);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_error(errno, sub_path);
  KL_CHECK_FN(unmount_below(target));  // the file behind an earlier binding may have been replaced
  KL_CHECK_FN(make_target(target, S_ISDIR(info.st_mode)));
  const std::string source = fmt::format("/proc/self/fd/{}", file.get());
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return errno_error(errno, "bind " + sub_path);
  return {};
}

Result<void> unmount_below(const std::string& dir) {
  auto points = mounts_at_or_below(dir);
  std::reverse(points.begin(), points.end());
  for (const auto& point : points)
    if (::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
      return errno_error(errno, "unmount " + point);
  const auto left = mounts_at_or_below(dir);
  if (!left.empty()) return Error(Code::io, "{} is still mounted", left.front());
  return {};
}

}  // namespace kinglet::node
