// kill -9 at any moment: a second process makes and removes containers without end and is killed, again and again. What
// it leaves, recovery must know or remove. Needs root.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "node/runtime/testing/runtime_world.h"

namespace kinglet::runtime {
namespace {
namespace fs = std::filesystem;
using testing::RuntimeWorld;

Task<Result<void>> churn(Runtime& runtime, std::string dir) {
  for (int i = 0;; ++i) {
    auto config = RuntimeWorld::sandbox_config_in(dir, "churn" + std::to_string(i % 3));
    auto making = runtime.create_sandbox(std::move(config));
    KL_TRY(sandbox, co_await std::move(making));
    // Each start writes a line: a container that were started twice would write two.
    auto shell = RuntimeWorld::shell_in(dir, "echo started; exec sleep 1000");
    auto creating = runtime.create_container(sandbox, std::move(shell));
    KL_TRY(id, co_await std::move(creating));
    KL_CHECK(co_await runtime.start_container(id));
    if (i % 2 == 0) KL_CHECK(co_await runtime.stop_container(id, Duration::zero()));
    if (i % 3 == 0) KL_CHECK(co_await runtime.remove_container(id));
    if (i % 4 != 3) KL_CHECK(co_await runtime.remove_sandbox(sandbox));
  }
}

// The kernel kills this process, wherever it is, after so many milliseconds.
bool die_after(long milliseconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec once{{}, {milliseconds / 1000, milliseconds % 1000 * 1'000'000}};
  return ::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
         ::timer_settime(timer, 0, &once, nullptr) == 0;
}

int churn_main(const std::string& dir, long milliseconds) {
  if (!die_after(milliseconds)) return 2;
  boost::asio::io_context loop;
  const auto clock = make_system_clock();
  const auto random = make_system_random();
  auto runtime = make_builtin_runtime(testing::options_in(dir), *clock, *random);
  if (!runtime) return 3;
  if (!kinglet::testing::run_task(loop, (*runtime)->recover())) return 4;
  TaskGroup tasks;
  tasks.add("runtime", (*runtime)->run());
  tasks.add("churn", churn(**runtime, dir));
  const auto ended = kinglet::testing::run_task(loop, tasks.run());
  std::fprintf(stderr, "churn ended: %s\n", ended ? "?" : ended.error().message().c_str());
  return 5;
}

__attribute__((constructor)) void churn_if_asked(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "churn-containers") == 0)
    std::_Exit(churn_main(argv[2], std::atol(argv[3])));
}

class KilledRuntime : public testing::RealContainers {
 protected:
  pid_t start_churn(long milliseconds) {
    const std::string dir = world().path(), life = std::to_string(milliseconds);
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::execl("/proc/self/exe", "node_test", "churn-containers", dir.c_str(), life.c_str(), nullptr);
    std::_Exit(9);
  }
};

TEST_F(KilledRuntime, leaves_nothing_that_recovery_does_not_know) {
  const char* wanted = std::getenv("KINGLET_KILLS");
  const int kills = wanted == nullptr ? 5 : std::atoi(wanted);
  const StatePaths paths{world().path() + "/data/agent", world().path() + "/run"};
  const auto random = make_seeded_random(static_cast<uint64_t>(::getpid()));
  for (int i = 0; i < kills; ++i) {
    SCOPED_TRACE(i);
    world().stop();
    const pid_t child = start_churn(50 + static_cast<long>(random->below(1'500)));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);

    world().start();
    std::set<std::string> known;
    for (const auto& container : runtime().containers()) {
      known.insert(container.id);
      if (container.state != ContainerState::running) continue;
      EXPECT_TRUE(is_alive(identify_process(container.pid))) << container.id;
      const auto echo = world().must(runtime().exec_sync(container.id, {"true"}, std::chrono::seconds(30)));
      EXPECT_EQ(echo.code, 0);
    }
    for (const auto& dir : {paths.containers(), paths.bundles(), paths.crun_root()})
      for (const auto& entry : fs::directory_iterator(dir))
        EXPECT_TRUE(known.contains(entry.path().filename())) << entry.path();
    std::set<std::string> sandboxes;
    for (const auto& sandbox : runtime().sandboxes()) {
      sandboxes.insert(sandbox.id);
      EXPECT_TRUE(sandbox.ready);
    }
    for (const auto& entry : fs::directory_iterator(paths.sandboxes_run()))
      EXPECT_TRUE(sandboxes.contains(entry.path().filename())) << entry.path();
    for (const auto& id : sandboxes) world().must(runtime().remove_sandbox(id));
    EXPECT_TRUE(runtime().containers().empty());
    EXPECT_TRUE(fs::is_empty(paths.bundles()));
    EXPECT_TRUE(fs::is_empty(paths.crun_root()));
    const auto cgroups = Cgroups::open();
    EXPECT_TRUE((*cgroups)->processes(world().cgroup_root()).empty()) << "a process is left";
  }
}
}  // namespace
}  // namespace kinglet::runtime
