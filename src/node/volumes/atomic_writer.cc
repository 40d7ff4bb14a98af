#include "node/volumes/atomic_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>

namespace kinglet::node {
namespace {

namespace fs = std::filesystem;

constexpr const char* kData = "..data";

// What the volume shows now; nullopt: nothing yet.
std::optional<VolumeFiles> read_volume(const fs::path& dir) {
  std::error_code bad;
  const fs::path data = dir / kData;
  if (!fs::exists(data, bad)) return std::nullopt;
  VolumeFiles files;
  for (auto it = fs::recursive_directory_iterator(fs::canonical(data, bad), bad);
       !bad && it != fs::recursive_directory_iterator(); it.increment(bad)) {
    if (!it->is_regular_file(bad)) continue;
    std::ifstream in(it->path(), std::ios::binary);
    struct stat info {};
    ::stat(it->path().c_str(), &info);
    files[fs::relative(it->path(), fs::canonical(data, bad), bad).string()] = {
        std::string(std::istreambuf_iterator<char>(in), {}), static_cast<uint32_t>(info.st_mode & 07777)};
  }
  return files;
}

Result<void> own(const fs::path& path, std::optional<int64_t> group) {
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*group)) != 0)
    return errno_error(errno, path.string());
  return {};
}

Result<void> write_one(const fs::path& path, const VolumeFile& file, std::optional<int64_t> group) {
  std::error_code bad;
  fs::create_directories(path.parent_path(), bad);
  if (bad) return Error(Code::io, "{}: {}", path.parent_path().string(), bad.message());
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return errno_error(errno, path.string());
  size_t done = 0;
  while (done < file.bytes.size()) {
    const ssize_t n = ::write(fd, file.bytes.data() + done, file.bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int number = errno;
      ::close(fd);
      return errno_error(number, path.string());
    }
    done += static_cast<size_t>(n);
  }
  // The umask does not get a say: the mode is what the volume asks for.
  const bool moded = ::fchmod(fd, file.mode) == 0;
  const int number = errno;
  ::close(fd);
  if (!moded) return errno_error(number, path.string());
  return own(path, group);
}

// Swaps a symbolic link in one step.
Result<void> point(const fs::path& link, const std::string& target) {
  const fs::path next = link.string() + "_tmp";
  ::unlink(next.c_str());
  if (::symlink(target.c_str(), next.c_str()) != 0) return errno_error(errno, next.string());
  if (::rename(next.c_str(), link.c_str()) != 0) return errno_error(errno, link.string());
  return {};
}

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

}  // namespace

Result<void> write_volume(const std::string& dir, const VolumeFiles& wanted, std::optional<int64_t> group,
                          WallTime now) {
  constexpr uint32_t kGroupMayRead = 0440;  // what fsGroup is for, as upstream has it, whatever the mode says
  VolumeFiles files = wanted;
  if (group)
    for (auto& [path, file] : files) file.mode |= kGroupMayRead;
  const auto present = read_volume(dir);
  if (present && *present == files) return {};
  std::error_code bad;
  fs::create_directories(dir, bad);
  if (bad) return Error(Code::io, "{}: {}", dir, bad.message());
  std::string version = fmt::format("..{}", now.since_epoch.count());
  for (int n = 0; fs::exists(fs::path(dir) / version, bad); ++n)
    version = fmt::format("..{}.{}", now.since_epoch.count(), n);
  const fs::path set = fs::path(dir) / version;
  fs::create_directory(set, bad);
  ::chmod(set.c_str(), 0755);
  KL_CHECK_FN(own(set, group));
  for (const auto& [path, file] : files) KL_CHECK_FN(write_one(set / path, file, group));

  KL_CHECK_FN(point(fs::path(dir) / kData, version));
  std::set<std::string> names;
  for (const auto& [path, file] : files) names.insert(first_part(path));
  for (const auto& name : names)
    if (!fs::is_symlink(fs::path(dir) / name, bad))
      KL_CHECK_FN(point(fs::path(dir) / name, std::string(kData) + "/" + name));
  for (const auto& entry : fs::directory_iterator(dir, bad)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("..", 0) != 0 && !names.count(name)) fs::remove(entry.path(), bad);
  }
  // The old set, and any that was left half-written.
  std::vector<fs::path> sets;
  for (const auto& entry : fs::directory_iterator(dir, bad)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("..", 0) == 0 && name != version && !entry.is_symlink(bad)) sets.push_back(entry.path());
  }
  for (const auto& path : sets) fs::remove_all(path, bad);
  return {};
}

}  // namespace kinglet::node
