#include "node/runtime/rooted_path.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <deque>

namespace kinglet::runtime {
namespace {
constexpr int kSymlinksMax = 40;   // as the kernel's own limit
constexpr size_t kDepthMax = 256;  // directories held open at once: far below the descriptor limit

void push_front(std::deque<std::string>& steps, std::string_view path) {
  std::deque<std::string> more;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    if (end > at) more.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  steps.insert(steps.begin(), more.begin(), more.end());
}

Result<std::string> read_link(int dir, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t n = ::readlinkat(dir, name.c_str(), target.data(), target.size());
  if (n < 0) return errno_error(errno, name);
  target.resize(static_cast<size_t>(n));
  return target;
}
}  // namespace

Result<RootedDir> RootedDir::open(const std::string& directory) {
  UniqueFd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return errno_error(errno, directory);
  return RootedDir(std::move(root));
}

Result<UniqueFd> RootedDir::find(std::string_view path, Last last) const {
  return walk(path, last, Missing{});
}

Result<UniqueFd> RootedDir::make_dirs(std::string_view path, mode_t mode, uid_t owner,
                                      gid_t group) const {
  return walk(path, Last::follow, Missing{true, mode, owner, group});
}

Result<UniqueFd> RootedDir::walk(std::string_view path, Last last, const Missing& missing) const {
  if (path.find('\0') != std::string_view::npos)
    return Error(Code::invalid, "a path must not contain a NUL");
  std::vector<UniqueFd> trail;  // what ".." goes back to; the root itself is not in it
  const auto here = [&] { return trail.empty() ? root_.get() : trail.back().get(); };
  std::deque<std::string> steps;
  push_front(steps, path);
  int symlinks = 0;
  while (!steps.empty()) {
    const std::string name = std::move(steps.front());
    steps.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (!trail.empty()) trail.pop_back();
      continue;
    }
    constexpr int kFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd next(::openat(here(), name.c_str(), kFlags));
    if (!next && errno == ENOENT && missing.make) {
      if (::mkdirat(here(), name.c_str(), missing.mode) != 0 && errno != EEXIST)
        return errno_error(errno, fmt::format("make directory {}", name));
      next = UniqueFd(::openat(here(), name.c_str(), kFlags | O_DIRECTORY));
      if (next && missing.owner != static_cast<uid_t>(-1) &&
          ::fchownat(next.get(), "", missing.owner, missing.group, AT_EMPTY_PATH) != 0)
        return errno_error(errno, fmt::format("change the owner of {}", name));
    }
    if (!next) return errno_error(errno, std::string(path));
    struct stat info {};
    if (::fstat(next.get(), &info) != 0) return errno_error(errno, std::string(path));
    if (S_ISLNK(info.st_mode)) {
      if (steps.empty() && last == Last::keep && !missing.make) return next;
      if (++symlinks > kSymlinksMax)
        return Error(Code::invalid, "{}: too many levels of symbolic links", path);
      KL_TRY_FN(target, read_link(here(), name));
      if (target.starts_with('/')) trail.clear();
      push_front(steps, target);
      continue;
    }
    if ((!steps.empty() || missing.make) && !S_ISDIR(info.st_mode))
      return Error(Code::invalid, "{}: {} is not a directory", path, name);
    if (trail.size() >= kDepthMax) return Error(Code::invalid, "{}: too deep", path);
    trail.push_back(std::move(next));
  }
  if (!trail.empty()) return std::move(trail.back());
  UniqueFd root(::openat(root_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return errno_error(errno, std::string(path));
  return root;
}

Result<std::string> RootedDir::read_file(std::string_view path, size_t bytes_max) const {
  KL_TRY_FN(place, find(path));
  struct stat info {};
  if (::fstat(place.get(), &info) != 0) return errno_error(errno, std::string(path));
  // Before opening: to open a device or a FIFO may block or do things.
  if (!S_ISREG(info.st_mode)) return Error(Code::invalid, "{} is not a regular file", path);
  const UniqueFd file(::open(fd_path(place.get()).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return errno_error(errno, std::string(path));
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, std::string(path));
    if (n == 0) return text;
    if (text.size() + static_cast<size_t>(n) > bytes_max)
      return Error(Code::too_large, "{} is larger than {} bytes", path, bytes_max);
    text.append(buffer, static_cast<size_t>(n));
  }
}

std::string fd_path(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

}  // namespace kinglet::runtime
