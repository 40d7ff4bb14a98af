#include "node/runtime/mounts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "node/runtime/image_store.h"
#include "node/runtime/records.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace {
// mount(2) copies one page of options.
constexpr size_t kMountOptionsBytesMax = 4000;
constexpr size_t kMountinfoBytesMax = 16 << 20;

Error overlay_error(int number) {
  if (number == ENODEV)
    return Error(Code::unavailable,
                 "this kernel has no overlayfs: load the module \"overlay\", or use a kernel that has it");
  if (number == EINVAL)
    return Error(Code::unavailable,
                 "the file system of the data directory cannot carry overlayfs (is it an overlay itself?): use "
                 "--data-dir on ext4, xfs, btrfs or f2fs");
  return errno_error(number, "mount overlay");
}

// "\040" and the like.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Mount points at or below `path`, in the order of mounting.
std::vector<std::string> mounts_below(const std::string& path) {
  std::vector<std::string> out;
  const auto text = read_text_file("/proc/self/mountinfo", kMountinfoBytesMax);
  if (!text) return out;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    std::string_view line(text->data() + at, end - at);
    at = end + 1;
    for (int skip = 0; skip < 4; ++skip) line.remove_prefix(std::min(line.find(' ') + 1, line.size()));
    const std::string point = unescape(line.substr(0, line.find(' ')));
    if (point == path || point.starts_with(path + "/")) out.push_back(point);
  }
  return out;
}
}  // namespace

Result<void> mount_overlay(const OverlayMount& mount) {
  // One layer alone needs a second lowerdir on no kernel we meet; none at all does.
  if (mount.layers.empty()) return Error(Code::invalid, "the image has no layers");
  std::string lower;
  for (auto layer = mount.layers.rbegin(); layer != mount.layers.rend(); ++layer) {
    KL_TRY_FN(name, short_layer_name(mount.images_dir, *layer));
    // Twice the same layer is one too many for overlayfs, and changes nothing.
    if (lower.find(name) != std::string::npos) continue;
    lower += (lower.empty() ? "" : ":") + name;
  }
  // Relative names keep 127 layers within the page. The working directory belongs to the thread from here on.
  if (::unshare(CLONE_FS) != 0) return errno_error(errno, "unshare the working directory");
  if (::chdir((mount.images_dir + "/l").c_str()) != 0) return errno_error(errno, mount.images_dir);
  struct Back {
    ~Back() {
      if (::chdir("/") != 0) return;  // "/" is always there
    }
  } back;
  const auto base = fmt::format("lowerdir={},upperdir={},workdir={}", lower, mount.upper, mount.work);
  if (base.size() > kMountOptionsBytesMax) return Error(Code::invalid, "the image has too many layers");
  // "volatile": a container's writable layer does not outlive its container, so nothing needs to be synced, neither
  // at the program's fsync nor (all of the disk!) when it is unmounted. Kernels before 5.10 do not know it.
  for (const auto& options : {base + ",volatile", base}) {
    if (::mount("overlay", mount.target.c_str(), "overlay", 0, options.c_str()) == 0) return {};
    if (errno != EINVAL) break;
  }
  return overlay_error(errno);
}

Result<void> mount_tmpfs(const std::string& target, uint64_t bytes, unsigned mode) {
  const auto options = bytes == 0 ? fmt::format("mode={:o}", mode) : fmt::format("mode={:o},size={}", mode, bytes);
  if (::mount("tmpfs", target.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) != 0)
    return errno_error(errno, fmt::format("mount tmpfs at {}", target));
  return {};
}

Result<void> unmount_all(const std::string& path) {
  auto points = mounts_below(path);
  for (auto point = points.rbegin(); point != points.rend(); ++point)
    // Detached at once where somebody still looks: it goes when they leave.
    if (::umount2(point->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno != EINVAL && errno != ENOENT)
      return errno_error(errno, fmt::format("unmount {}", *point));
  return {};
}

Result<void> pin_namespaces(const PinnedNamespaces& wanted) {
  struct Kind {
    const std::string& path;
    const char* name;
    int flag;
  };
  const Kind kinds[] = {{wanted.ipc_path, "ipc", CLONE_NEWIPC}, {wanted.uts_path, "uts", CLONE_NEWUTS}};
  for (const auto& kind : kinds) {
    if (kind.path.empty()) continue;
    const std::string self = fmt::format("/proc/thread-self/ns/{}", kind.name);
    const UniqueFd before(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
    const UniqueFd file(::open(kind.path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!before || !file) return errno_error(errno, kind.path);
    if (::unshare(kind.flag) != 0) return errno_error(errno, fmt::format("new {} namespace", kind.name));
    std::optional<Error> failure;
    if (kind.flag == CLONE_NEWUTS && ::sethostname(wanted.hostname.data(), wanted.hostname.size()) != 0)
      failure = errno_error(errno, "set the host name");
    if (!failure && ::mount(self.c_str(), kind.path.c_str(), nullptr, MS_BIND, nullptr) != 0)
      failure = errno_error(errno, fmt::format("keep the {} namespace", kind.name));
    KL_ASSERT(::setns(before.get(), kind.flag) == 0, "a thread cannot return to its namespace");
    if (failure) return *failure;
  }
  return {};
}

}  // namespace kinglet::runtime
