// A runtime with real crun and conmon on directories and cgroups of its own, and an image made of busybox. Several may
// run beside each other. Everything is gone afterwards, whatever the test did.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/deadline.h"
#include "base/testing.h"
#include "node/runtime/cgroups.h"
#include "node/runtime/conmon.h"
#include "node/runtime/mounts.h"
#include "node/runtime/records.h"
#include "node/runtime/runtime.h"
#include "node/runtime/testing/temp_dir.h"
#include "node/runtime/testing/test_image.h"

namespace kinglet::runtime::testing {

inline std::string why_not_here() {
  if (::geteuid() != 0) return "real containers need root";
  for (const char* program : {"/usr/bin/crun", "/usr/bin/conmon", "/bin/busybox"})
    if (::access(program, X_OK) != 0) return std::string(program) + " is missing: install crun, conmon, busybox-static";
  if (::access("/sys/fs/cgroup", W_OK) != 0) return "/sys/fs/cgroup is not writable";
  return "";
}

inline RuntimeOptions options_in(const std::string& dir) {
  RuntimeOptions options;
  options.data_dir = dir + "/data/agent";
  options.run_dir = dir + "/run";
  options.cgroup_root = "/kinglet-test-" + std::filesystem::path(dir).filename().string();
  options.conmon_cgroup = options.cgroup_root + "-conmon";
  options.log_bytes_max = 4096;
  options.log_files_max = 3;
  return options;
}

class RuntimeWorld {
 public:
  RuntimeWorld() { start(); }
  ~RuntimeWorld() {
    stop();
    wipe();
  }

  // kinglet starts; after stop() again. Containers run on in between.
  void start() {
    auto made = make_builtin_runtime(options_in(temp_.path()), *clock_, *random_);
    ASSERT_TRUE(made) << made.error().message();
    runtime_ = std::move(*made);
    const auto recovered = go(runtime_->recover());
    ASSERT_TRUE(recovered) << recovered.error().message();
    tasks_ = std::make_unique<TaskGroup>();
    tasks_->add("runtime", runtime_->run());
    running_ = kinglet::testing::detail::start<Result<void>>(loop_, tasks_->run());
    loop_.restart();
    loop_.poll();
  }
  // As kill -9 would, but for memory: nothing is told to anybody.
  void stop() {
    if (!runtime_) return;
    tasks_->cancel();
    loop_.restart();
    while (!running_->ended && loop_.run_one() > 0) {
    }
    tasks_.reset();
    runtime_.reset();
  }
  void restart() {
    stop();
    start();
  }

  Runtime& runtime() { return *runtime_; }
  boost::asio::io_context& loop() { return loop_; }
  Clock& clock() { return *clock_; }
  const std::string& path() const { return temp_.path(); }
  std::string cgroup_root() const { return options_in(temp_.path()).cgroup_root; }

  // Runs a task with a limit: a test that hangs says where.
  template <class T>
  T go(Task<T> task) {
    return kinglet::testing::run_task(loop_, std::move(task));
  }
  template <class T>
  T must(Task<Result<T>> task) {
    auto out = go(with_deadline<T>(*clock_, std::chrono::seconds(60), std::move(task)));
    EXPECT_TRUE(out) << out.error().message();
    if constexpr (!std::is_void_v<T>) return out ? std::move(*out) : T{};
  }

  void import_busybox() {
    std::vector<Entry> layer{dir("bin"), file("bin/busybox", load("/bin/busybox"), 0755), dir("tmp", 01777), dir("etc"),
                             file("etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n"),
                             file("etc/group", "root:x:0:\nme:x:1000:\nextra:x:2000:me\n")};
    for (const char* name : {"sh", "cat", "echo", "id", "sleep", "ls", "grep", "touch", "stty", "env", "dd", "tail",
                             "unshare", "mount", "hostname", "chmod", "stat", "head", "tr", "seq", "true", "pwd", "kill", "mkdir"})
      layer.push_back(symlink(std::string("bin/") + name, "busybox"));
    ImageSpec spec{"registry.test/busybox:1", {layer, {file("etc/upper", "from the second layer")}}, {{"Cmd", json::Array{"sh"}}}};
    const auto path = save(temp_.path() + "/busybox.tar", tar_of(docker_entries(spec)));
    auto imported = must(runtime_->images().import_archive(path));
    ASSERT_EQ(imported.size(), 1u);
  }

  SandboxConfig sandbox_config(const std::string& name = "p") { return sandbox_config_in(temp_.path(), name); }
  static SandboxConfig sandbox_config_in(const std::string& dir, const std::string& name) {
    SandboxConfig config;
    config.pod_uid = name;
    config.pod_name = name;
    config.pod_namespace = "default";
    config.hostname = "host-" + name;
    config.hosts = "127.0.0.1 localhost\n";
    config.resolv_conf = "nameserver 10.43.0.10\n";
    config.cgroup_parent = options_in(dir).cgroup_root + "/burstable/pod" + name;
    config.netns_path = "/proc/self/ns/net";  // tests of the network are elsewhere
    return config;
  }
  std::string sandbox(const std::string& name = "p") { return must(runtime_->create_sandbox(sandbox_config(name))); }

  ContainerConfig shell(const std::string& script) { return shell_in(temp_.path(), script); }
  static ContainerConfig shell_in(const std::string& dir, const std::string& script) {
    ContainerConfig config;
    config.name = "c";
    config.image = "registry.test/busybox:1";
    config.command = {"sh", "-c", script};
    config.log_path = dir + "/log/c/0.log";
    return config;
  }
  std::string run(const std::string& sandbox, ContainerConfig config) {
    const std::string id = must(runtime_->create_container(sandbox, std::move(config)));
    if (!id.empty()) must(runtime_->start_container(id));
    return id;
  }
  ContainerStatus wait_exit(const std::string& id) {
    return must(until_exit(*runtime_, id));
  }
  // Runs a script to its end; what it wrote to stdout.
  std::string output_of(const std::string& sandbox, ContainerConfig config) {
    const std::string path = config.log_path;
    const auto id = run(sandbox, std::move(config));
    wait_exit(id);
    must(runtime_->remove_container(id));
    const std::string text = log_text(path);
    std::filesystem::remove(path);
    return text;
  }
  // The lines of a log in CRI's format without time, stream and tag.
  static std::string log_text(const std::string& path) {
    std::string out;
    std::string log = load(path);
    for (size_t at = 0; at < log.size();) {
      const size_t end = std::min(log.find('\n', at), log.size());
      std::string line = log.substr(at, end - at);
      at = end + 1;
      for (int i = 0; i < 2; ++i) line.erase(0, line.find(' ') + 1);
      const bool full = line.starts_with("F");
      out += line.substr(std::min<size_t>(2, line.size())) + (full ? "\n" : "");
    }
    return out;
  }

 private:
  static Task<Result<ContainerStatus>> until_exit(Runtime& runtime, std::string id) {
    for (;;) {
      KL_TRY(status, runtime.container(id));
      if (status.state == ContainerState::exited) co_return status;
      co_await runtime.next_event();
    }
  }

  void wipe() {
    StatePaths paths{temp_.path() + "/data/agent", temp_.path() + "/run"};
    std::error_code ignored;
    std::vector<std::string> ids;
    for (const auto& entry : std::filesystem::directory_iterator(paths.bundles(), ignored))
      ids.push_back(entry.path().filename());
    for (const auto& id : ids) {
      for (const pid_t pid : processes_of_bundle(paths, id)) ::kill(pid, SIGKILL);
      const std::string command = "crun --root=" + paths.crun_root() + " delete --force " + id + " 2>/dev/null";
      if (::system(command.c_str()) != 0) continue;
    }
    const auto unmounted = unmount_all(temp_.path());
    EXPECT_TRUE(unmounted);
    const auto cgroups = Cgroups::open();
    for (int i = 0; cgroups && i < 100; ++i) {
      const bool gone = (*cgroups)->remove(cgroup_root()).has_value() && (*cgroups)->remove(cgroup_root() + "-conmon").has_value();
      if (gone) break;
      ::usleep(10000);
    }
  }

  TempDir temp_;
  boost::asio::io_context loop_;
  std::unique_ptr<Clock> clock_ = make_system_clock();
  std::unique_ptr<Random> random_ = make_system_random();
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<TaskGroup> tasks_;
  std::shared_ptr<kinglet::testing::detail::Outcome<Result<void>>> running_;
};

// A fixture's base: skips, loudly, where real containers cannot run.
class RealContainers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_not_here(); !why.empty()) GTEST_SKIP() << why;
    world_ = std::make_unique<RuntimeWorld>();
    world_->import_busybox();
  }
  RuntimeWorld& world() { return *world_; }
  Runtime& runtime() { return world_->runtime(); }

 private:
  std::unique_ptr<RuntimeWorld> world_;
};

}  // namespace kinglet::runtime::testing
