// The Runtime on crun and conmon. One class, in several files by subject: sandboxes, containers, exec, recovery.
//
// A container's life: record `creating` -> root file system, bundle -> conmon and crun create -> record `created` ->
// crun start -> record `running` -> conmon ends -> record `exited` -> everything but record and log is removed ->
// record `cleaned`. Its end is seen through a pidfd of its conmon: nothing is polled.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "base/worker.h"
#include "node/runtime/cgroups.h"
#include "node/runtime/image_store.h"
#include "node/runtime/records.h"
#include "node/runtime/runtime.h"
#include "node/runtime/session.h"
#include "node/runtime/state_paths.h"

namespace kinglet::runtime {

class BuiltinRuntime final : public Runtime {
 public:
  BuiltinRuntime(RuntimeOptions options, std::unique_ptr<Cgroups> cgroups, Clock& clock, Random& random);
  Result<void> open();

  Task<Result<void>> recover() override;
  Task<Result<void>> run() override { co_return co_await tasks_.run(); }
  Images& images() override { return *images_; }

  Task<Result<std::string>> create_sandbox(SandboxConfig config) override;
  Task<Result<void>> remove_sandbox(std::string id) override;
  std::vector<SandboxStatus> sandboxes() const override;

  Task<Result<std::string>> create_container(std::string sandbox_id, ContainerConfig config) override;
  Task<Result<void>> start_container(std::string id) override;
  Task<Result<void>> stop_container(std::string id, Duration grace) override;
  Result<void> kill_container(const std::string& id, int signal) override;
  Task<Result<void>> remove_container(std::string id) override;
  Result<ContainerStatus> container(const std::string& id) const override;
  std::vector<ContainerStatus> containers() const override;
  Task<Result<void>> update_resources(std::string id, Resources resources) override;

  Task<Result<ExecResult>> exec_sync(std::string id, std::vector<std::string> argv, Duration timeout) override;
  Task<Result<std::unique_ptr<Session>>> exec(std::string id, ExecOptions options) override;
  Task<Result<std::unique_ptr<Session>>> attach(std::string id) override;
  Task<ContainerEvent> next_event() override;

  Result<ContainerStats> stats(const std::string& id) const override;
  Result<ContainerStats> sandbox_stats(const std::string& id) const override;
  Result<void> set_cgroup(const std::string& path, const Resources& resources) override;
  Task<Result<uint64_t>> writable_layer_bytes(std::string id) override;
  Task<Result<void>> rotate_logs() override;

 private:
  using Phase = ContainerRecord::Phase;
  struct Sandbox {
    SandboxRecord record;
    bool removing = false;  // a removal is under way
  };
  struct Container {
    ContainerRecord record;
    bool watched = false;  // follow_container() runs
    bool busy = false;     // being made, started or removed
    Signal changed;        // of anything above
  };
  using ContainerRef = std::shared_ptr<Container>;

  // Changes that a caller's cancellation must not cut in half run as tasks of our own.
  template <class T>
  Task<Result<T>> to_the_end(Task<Result<T>> change);

  Task<Result<std::string>> make_sandbox(SandboxConfig config);
  Task<Result<void>> take_sandbox_down(std::string id);
  Task<Result<void>> remove_cgroup(std::string path);
  Result<void> save(const SandboxRecord& record) const;

  Task<Result<std::string>> make_container(std::string sandbox_id, ContainerConfig config);
  Task<Result<void>> build_container(ContainerRef container, SandboxRecord sandbox, Image image, ContainerConfig config);
  Task<Result<void>> run_container(std::string id);
  Task<Result<void>> take_container_down(std::string id);
  // Waits for conmon's end, then settles the container's.
  Task<void> follow_container(ContainerRef container);
  Task<void> settle_exit(ContainerRef container);
  Task<void> clean_up(ContainerRef container);
  Task<Result<void>> wait_cleaned(ContainerRef container);
  void watch(const ContainerRef& container);
  Result<void> save(const ContainerRecord& record) const;
  Result<ContainerRef> find(const std::string& id) const;
  Result<ContainerRef> find_running(const std::string& id) const;
  ContainerStatus status_of(const ContainerRecord& record) const;

  // crun's own words as an error. `arguments` come after the global options.
  Task<Result<void>> crun(std::vector<std::string> arguments);
  // Kills and removes whatever there is of a container, on every level, by its id alone.
  Task<Result<void>> erase_leftovers(std::string id);
  void kill_bundle(const std::string& id);
  ExecInput exec_input(const Container& container, ExecOptions options);
  Task<Result<void>> on_worker(std::function<Result<void>()> job);
  void empty_trash();

  Task<Result<void>> recover_sandboxes();
  Task<Result<void>> recover_containers();
  Task<Result<void>> recover_container(std::string id);
  Task<Result<void>> adopt(ContainerRef container);
  void lost_in_reboot(ContainerRef container);
  Task<Result<void>> remove_strays();

  RuntimeOptions options_;
  Clock& clock_;
  Random& random_;
  Log log_{"runtime"};
  StatePaths paths_;
  std::shared_ptr<Cgroups> cgroups_;
  std::unique_ptr<ImageStore> images_;
  std::string epoch_;  // of the run directory: another one after every reboot
  std::set<std::string> capabilities_;
  int oom_score_adj_min_ = -1000;
  std::map<std::string, Sandbox> sandboxes_;
  std::map<std::string, ContainerRef> containers_;
  std::deque<ContainerEvent> events_;
  Signal event_;
  TaskGroup tasks_{TaskGroup::WhenEmpty::keep_open};
  Worker mounts_{"mounts"};  // its thread has a working directory of its own
  Worker trash_{"trash"};
};

template <class T>
Task<void> keep_outcome(Task<Result<T>> change, std::shared_ptr<std::optional<Result<T>>> out,
                        std::shared_ptr<Signal> ended) {
  out->emplace(co_await std::move(change));
  ended->notify_all();
}

template <class T>
Task<Result<T>> BuiltinRuntime::to_the_end(Task<Result<T>> change) {
  const auto out = std::make_shared<std::optional<Result<T>>>();
  const auto ended = std::make_shared<Signal>();
  tasks_.add("change", keep_outcome<T>(std::move(change), out, ended));
  while (!*out) co_await ended->wait();
  co_return std::move(**out);
}

}  // namespace kinglet::runtime
