#include "node/network/netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace kinglet::network {
namespace {
constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

void go_back(int netns) {
  // There is no way on from here: every later call would work on some pod's network.
  KL_ASSERT(::setns(netns, CLONE_NEWNET) == 0, "cannot return to the host's network namespace");
}
}  // namespace

bool is_netns(const std::string& path) {
  struct statfs st {};
  return ::statfs(path.c_str(), &st) == 0 && st.f_type == NSFS_MAGIC;
}

Result<runtime::UniqueFd> open_netns(const std::string& path) {
  runtime::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, "open " + path);
  return fd;
}

Result<void> make_netns(const std::string& path) {
  if (is_netns(path)) return {};
  const runtime::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!file) return errno_error(errno, "create " + path);
  KL_TRY_FN(home, open_netns(kOwnNetns));
  if (::unshare(CLONE_NEWNET) != 0) return errno_error(errno, "make a network namespace");
  const int mounted = ::mount(kOwnNetns, path.c_str(), "none", MS_BIND, nullptr);
  const int failed = errno;
  go_back(home.get());
  if (mounted != 0) return errno_error(failed, "pin the network namespace " + path);
  return {};
}

Result<void> in_netns(int netns, const std::function<Result<void>()>& work) {
  KL_TRY_FN(home, open_netns(kOwnNetns));
  if (::setns(netns, CLONE_NEWNET) != 0) return errno_error(errno, "enter a network namespace");
  auto result = work();
  go_back(home.get());
  return result;
}

Result<void> remove_netns(const std::string& path) {
  // Mounted twice by some accident, it must be unmounted twice.
  while (is_netns(path))
    if (::umount2(path.c_str(), MNT_DETACH) != 0) return errno_error(errno, "unmount " + path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error(errno, "remove " + path);
  return {};
}

}  // namespace kinglet::network
