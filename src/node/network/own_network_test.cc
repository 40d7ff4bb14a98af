#include "node/network/own_network_test.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kinglet::network::testing {

namespace {
int status_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
int leave_host() { return ::unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS); }
}  // namespace

bool can_have_own_network() { return status_of_child(leave_host) == 0; }

void in_own_network(const std::function<void()>& body) {
  const int status = status_of_child([&] {
    if (leave_host() != 0) return 77;
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    ::mount("none", "/run", "tmpfs", 0, nullptr);
    // Another mount of /sys and /proc/sys is not needed: /proc/sys/net follows the process.
    body();
    std::fflush(stdout);
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(status, 0) << "in the network of its own; see above";
}

}  // namespace kinglet::network::testing
