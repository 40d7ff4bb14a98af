#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <charconv>
#include <filesystem>

#include "base/deadline.h"
#include "node/runtime/builtin_runtime.h"
#include "node/runtime/conmon.h"
#include "node/runtime/container_prepare.h"
#include "node/runtime/stop_signal.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace asio = boost::asio;
namespace {
// After KILL only a process that hangs in the kernel is still there.
constexpr Duration kKillTimeout = std::chrono::seconds(60);
constexpr int kKilled = 128 + SIGKILL;
}  // namespace

Result<void> BuiltinRuntime::save(const ContainerRecord& record) const {
  return write_record(paths_.container_record(record.id), print_record(record));
}

Result<BuiltinRuntime::ContainerRef> BuiltinRuntime::find(const std::string& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return Error(Code::not_found, "container {} does not exist", id);
  return found->second;
}

Result<BuiltinRuntime::ContainerRef> BuiltinRuntime::find_running(const std::string& id) const {
  KL_TRY_FN(container, find(id));
  if (container->record.phase != Phase::running) return Error(Code::conflict, "container {} does not run", id);
  return container;
}

Task<Result<std::string>> BuiltinRuntime::create_container(std::string sandbox_id, ContainerConfig config) {
  auto making = make_container(std::move(sandbox_id), std::move(config));
  co_return co_await to_the_end<std::string>(std::move(making));
}

Task<Result<std::string>> BuiltinRuntime::make_container(std::string sandbox_id, ContainerConfig config) {
  const auto sandbox = sandboxes_.find(sandbox_id);
  if (sandbox == sandboxes_.end() || sandbox->second.record.phase != SandboxRecord::Phase::ready)
    co_return Error(Code::not_found, "sandbox {} does not exist", sandbox_id);
  const SandboxRecord sandbox_record = sandbox->second.record;
  KL_TRY(image, images_->find(config.image));
  auto container = std::make_shared<Container>();
  ContainerRecord& record = container->record;
  record.id = random_.hex(32);
  record.sandbox_id = sandbox_id;
  record.epoch = epoch_;
  record.name = config.name;
  record.attempt = config.attempt;
  record.image_reference = config.image;
  record.image_id = image.id;
  record.log_path = config.log_path;
  record.stop_signal = image.config.stop_signal;
  record.cgroup_path = sandbox_record.config.cgroup_parent + "/" + record.id;
  record.tty = config.tty;
  record.stdin_open = config.stdin_open;
  record.labels = config.labels;
  record.created = clock_.wall();
  const std::string id = record.id;
  std::error_code failed;
  std::filesystem::create_directories(paths_.container(id), failed);
  if (failed) co_return errno_error(failed.value(), paths_.container(id));
  KL_CHECK(save(record), "container");
  container->busy = true;
  containers_[id] = container;  // from here on it counts as a user of its image
  auto building = build_container(container, sandbox_record, std::move(image), std::move(config));
  auto built = co_await std::move(building);
  container->busy = false;
  if (!built) {
    kill_bundle(id);
    auto erased = co_await erase_leftovers(id);
    if (!erased) log_.warn("half-made container not removed", kv("container", id), kv("error", erased.error()));
    containers_.erase(id);
    co_return built.error();
  }
  watch(container);
  co_return id;
}

Task<Result<void>> BuiltinRuntime::build_container(ContainerRef container, SandboxRecord sandbox, Image image,
                                                   ContainerConfig config) {
  ContainerRecord& record = container->record;
  PrepareInput input;
  input.paths = paths_;
  input.image = std::move(image);
  SpecInput& spec = input.spec;
  const std::string dir = paths_.sandbox_run(sandbox.id);
  spec.id = record.id;
  spec.sandbox = sandbox.config;
  spec.container = config;
  if (!sandbox.config.host_ipc) {
    spec.ipcns_path = dir + "/ipc";
    spec.shm_dir = dir + "/shm";
  } else {
    spec.shm_dir = "/dev/shm";
  }
  if (!sandbox.config.host_network) spec.utsns_path = dir + "/uts";
  if (!config.processes_of.empty()) {
    KL_TRY(other, find_running(config.processes_of), "share processes");
    spec.pidns_path = fmt::format("/proc/{}/ns/pid", other->record.process.pid);
  }
  if (!sandbox.config.hosts.empty()) spec.hosts_file = dir + "/hosts";
  if (!sandbox.config.resolv_conf.empty()) spec.resolv_conf_file = dir + "/resolv.conf";
  if (!sandbox.config.hostname.empty()) spec.hostname_file = dir + "/hostname";
  spec.cgroup_path = record.cgroup_path;
  spec.cgroup_v2 = cgroups_->layout().unified;
  spec.has_memory_cgroup = cgroups_->layout().has("memory");
  spec.has_cpu_cgroup = cgroups_->layout().has("cpu");
  spec.has_pids_cgroup = cgroups_->layout().has("pids");
  spec.capabilities_max = capabilities_;
  spec.oom_score_adj_min = oom_score_adj_min_;
  std::function<Result<void>()> job = [input = std::move(input)] { return prepare_container(input); };
  KL_CHECK(co_await on_worker(std::move(job)), "create container");

  ConmonInput conmon{options_.conmon, options_.crun, paths_, record.id, config.log_path,
                     config.tty, config.stdin_open, config.stdin_once};
  Command command = conmon_command(conmon);
  auto launching = launch_conmon(std::move(command), clock_, mounts_);
  KL_TRY(pid, co_await std::move(launching), "create container");
  record.process = identify_process(pid);
  const auto conmon_pid = read_text_file(paths_.bundle(record.id) + "/conmon.pid", 64);
  pid_t number = 0;
  if (conmon_pid) std::from_chars(conmon_pid->data(), conmon_pid->data() + conmon_pid->size(), number);
  record.conmon = identify_process(number);
  if (record.conmon.start_ticks == 0) co_return Error(Code::unavailable, "the container's monitor ended at once");
  // Its v1 cgroups it has from the thread that started it. In v2 it is moved, but nobody waits for that.
  trash_.post([cgroups = cgroups_, number, path = options_.conmon_cgroup] {
    if (auto moved = cgroups->move_in_v2(number, path); !moved)
      Log("runtime").warn("a monitor stays in kinglet's cgroup", kv("error", moved.error()));
  });
  record.phase = Phase::created;
  co_return save(record);
}

Task<Result<void>> BuiltinRuntime::start_container(std::string id) {
  co_return co_await to_the_end<void>(run_container(std::move(id)));
}

Task<Result<void>> BuiltinRuntime::run_container(std::string id) {
  KL_TRY(container, find(id));
  ContainerRecord& record = container->record;
  if (record.phase == Phase::running) co_return Result<void>();
  if (record.phase != Phase::created || container->busy)
    co_return Error(Code::conflict, "container {} cannot be started: it has ended or is going", id);
  container->busy = true;
  record.started = clock_.wall();
  std::vector<std::string> arguments{"start", id};
  const auto started = co_await crun(std::move(arguments));
  container->busy = false;
  // It may have ended already; then settle_exit() waits for the next line.
  if (started) record.phase = Phase::running;
  if (!started) record.started = {};
  const auto saved = save(record);
  container->changed.notify_all();
  if (!started) co_return started;
  co_return saved;
}

void BuiltinRuntime::watch(const ContainerRef& container) {
  container->watched = true;
  tasks_.add("container " + container->record.id, follow_container(container));
}

Task<void> BuiltinRuntime::follow_container(ContainerRef container) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, container->record.conmon.pid, 0)));
  if (pidfd && is_alive(container->record.conmon)) {
    asio::posix::stream_descriptor watched(co_await asio::this_coro::executor, pidfd.release());
    co_await watched.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
  }
  while (container->busy) co_await container->changed.wait();
  co_await settle_exit(container);
}

Task<void> BuiltinRuntime::settle_exit(ContainerRef container) {
  ContainerRecord& record = container->record;
  const std::string id = record.id;
  if (const auto exit = read_exit_file(paths_, id)) {
    record.exit_code = exit->code;
    record.finished = exit->when;
  } else {
    // conmon was killed: the container may run on, but nobody would learn how it ends.
    log_.warn("a container's monitor died: the container is killed", kv("container", id));
    record.exit_code = kKilled;
    record.finished = clock_.wall();
    record.message = "the process that monitored this container died";
  }
  const bool killed = record.exit_code == kKilled;
  record.oom_killed = killed && (saw_oom(paths_, id) || cgroups_->oom_kills(record.cgroup_path) > 0);
  record.phase = Phase::exited;
  if (auto saved = save(record); !saved)
    log_.error("record not written", kv("container", id), kv("error", saved.error()));
  // The news first: a new attempt need not wait until this one is cleared away.
  container->changed.notify_all();
  events_.push_back({record.sandbox_id, id});
  event_.notify_all();
  co_await clean_up(container);
  container->watched = false;
  container->changed.notify_all();
}

// Idempotent: repeated by recovery if we die in the middle.
Task<void> BuiltinRuntime::clean_up(ContainerRef container) {
  ContainerRecord& record = container->record;
  auto erased = co_await erase_leftovers(record.id);
  if (!erased) {
    log_.warn("container not cleared away", kv("container", record.id), kv("error", erased.error()));
    co_return;
  }
  record.cleaned = true;
  if (auto saved = save(record); !saved)
    log_.warn("record not written", kv("container", record.id), kv("error", saved.error()));
}

// What was about to make a container must not go on while we clear away behind it.
void BuiltinRuntime::kill_bundle(const std::string& id) {
  for (const pid_t pid : processes_of_bundle(paths_, id)) ::kill(pid, SIGKILL);
}

Task<Result<void>> BuiltinRuntime::erase_leftovers(std::string id) {
  // --force kills what is in its cgroup, and is content when there is no such container.
  std::vector<std::string> arguments{"delete", "--force", id};
  const std::string state = paths_.crun_root() + "/" + id;
  if (std::filesystem::exists(state)) {
    auto deleted = co_await crun(std::move(arguments));
    // A crun that a killed kinglet had started may have been quicker.
    if (!deleted && std::filesystem::exists(state)) co_return deleted;
  }
  std::function<Result<void>()> job = [paths = paths_, id] { return discard_container(paths, id); };
  KL_CHECK(co_await on_worker(std::move(job)));
  empty_trash();
  const auto container = containers_.find(id);
  const bool keep = container != containers_.end() && container->second->record.phase == Phase::exited;
  if (!keep) {
    std::error_code failed;
    std::filesystem::remove_all(paths_.container(id), failed);
    if (failed) co_return errno_error(failed.value(), paths_.container(id));
  }
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::wait_cleaned(ContainerRef container) {
  while (container->watched) co_await container->changed.wait();
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::stop_container(std::string id, Duration grace) {
  auto found = find(id);
  if (!found) co_return Result<void>();
  const ContainerRef container = *found;
  while (container->busy) co_await container->changed.wait();
  if (!container->watched) co_return Result<void>();
  if (container->record.phase == Phase::running && grace > Duration::zero()) {
    // Ended meanwhile: fine, we wait for the news of it.
    const auto asked = signal_process(container->record.process, signal_number(container->record.stop_signal));
    if (!asked && !asked.is(Code::not_found)) co_return asked;
    auto ended = co_await with_deadline(clock_, grace, wait_cleaned(container));
    if (ended) co_return ended;
  }
  const auto killed = kill_container(id, SIGKILL);
  if (!killed && !killed.is(Code::not_found)) co_return killed;
  co_return co_await with_deadline(clock_, kKillTimeout, wait_cleaned(container));
}

Result<void> BuiltinRuntime::kill_container(const std::string& id, int signal) {
  KL_TRY_FN(container, find(id));
  // With the machine's process numbers there is no init whose end takes the others along.
  const auto sandbox = sandboxes_.find(container->record.sandbox_id);
  const bool shared = sandbox != sandboxes_.end() && sandbox->second.record.config.host_pid;
  if (signal == SIGKILL && shared)
    for (const pid_t pid : cgroups_->processes(container->record.cgroup_path)) ::kill(pid, SIGKILL);
  return signal_process(container->record.process, signal);
}

Task<Result<void>> BuiltinRuntime::remove_container(std::string id) {
  co_return co_await to_the_end<void>(take_container_down(std::move(id)));
}

Task<Result<void>> BuiltinRuntime::take_container_down(std::string id) {
  auto found = find(id);
  if (!found) co_return Result<void>();
  const ContainerRef container = *found;
  KL_CHECK(co_await stop_container(id, Duration::zero()), "remove container");
  if (!containers_.contains(id)) co_return Result<void>();  // somebody else was quicker
  container->record.phase = Phase::removing;
  KL_CHECK(save(container->record));
  KL_CHECK(co_await erase_leftovers(id), "remove container");
  containers_.erase(id);
  co_return Result<void>();
}

ContainerStatus BuiltinRuntime::status_of(const ContainerRecord& record) const {
  ContainerStatus out;
  out.id = record.id;
  out.sandbox_id = record.sandbox_id;
  out.name = record.name;
  out.attempt = record.attempt;
  out.state = record.phase == Phase::running   ? ContainerState::running
              : record.phase == Phase::created || record.phase == Phase::creating ? ContainerState::created
                                               : ContainerState::exited;
  out.pid = record.phase == Phase::running ? record.process.pid : 0;
  out.exit_code = record.exit_code;
  out.oom_killed = record.oom_killed;
  out.message = record.message;
  out.created = record.created;
  out.started = record.started;
  out.finished = record.finished;
  out.image_reference = record.image_reference;
  out.image_id = record.image_id;
  out.log_path = record.log_path;
  out.labels = record.labels;
  return out;
}

Result<ContainerStatus> BuiltinRuntime::container(const std::string& id) const {
  KL_TRY_FN(container, find(id));
  return status_of(container->record);
}

std::vector<ContainerStatus> BuiltinRuntime::containers() const {
  std::vector<ContainerStatus> out;
  for (const auto& [id, container] : containers_) out.push_back(status_of(container->record));
  return out;
}

Task<Result<void>> BuiltinRuntime::update_resources(std::string id, Resources resources) {
  KL_TRY(container, find_running(id));
  co_return cgroups_->make(container->record.cgroup_path, resources);
}

}  // namespace kinglet::runtime
