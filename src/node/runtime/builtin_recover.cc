#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "base/process.h"
#include "node/runtime/builtin_runtime.h"
#include "node/runtime/conmon.h"
#include "node/runtime/container_prepare.h"
#include "node/runtime/mounts.h"

namespace kinglet::runtime {
namespace fs = std::filesystem;
namespace {
constexpr int kLostExitCode = 255;  // as containerd says when it cannot know

std::vector<std::string> names_in(const std::string& dir) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(dir, ignored)) out.push_back(entry.path().filename());
  std::sort(out.begin(), out.end());
  return out;
}
}  // namespace

Task<Result<void>> BuiltinRuntime::recover() {
  KL_CHECK(co_await recover_sandboxes());
  KL_CHECK(co_await recover_containers());
  KL_CHECK(co_await remove_strays());
  // Sandboxes whose making or removal was cut short, and with them what may be in them.
  std::vector<std::string> half;
  for (const auto& [id, sandbox] : sandboxes_)
    if (sandbox.record.phase != SandboxRecord::Phase::ready) half.push_back(id);
  for (const auto& id : half) KL_CHECK(co_await take_sandbox_down(id), "finish removing sandbox");
  empty_trash();
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::recover_sandboxes() {
  for (const auto& name : names_in(paths_.sandbox_records())) {
    const std::string path = paths_.sandbox_records() + "/" + name;
    const auto text = read_text_file(path);
    auto record = text ? parse_sandbox_record(*text) : Result<SandboxRecord>(text.error());
    if (record && record->id + ".json" == name) {
      const std::string id = record->id;
      sandboxes_[id].record = std::move(*record);
    } else {
      // Cut short by a power failure, or a temporary name: what it made is below the run directory, if at all.
      if (!name.ends_with(".new")) log_.warn("damaged sandbox record dropped", kv("file", path));
      ::unlink(path.c_str());
    }
  }
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::recover_containers() {
  for (const auto& id : names_in(paths_.containers())) KL_CHECK(co_await recover_container(id), "container {}", id);
  co_return Result<void>();
}

Task<Result<void>> BuiltinRuntime::recover_container(std::string id) {
  const auto text = read_text_file(paths_.container_record(id));
  auto record = text ? parse_container_record(*text) : Result<ContainerRecord>(text.error());
  const auto sandbox = record ? sandboxes_.find(record->sandbox_id) : sandboxes_.end();
  const bool whole = record && record->id == id && record->phase != Phase::creating &&
                     record->phase != Phase::removing && sandbox != sandboxes_.end() &&
                     sandbox->second.record.phase == SandboxRecord::Phase::ready;
  if (!whole) {
    log_.info("removing a container that was half made or half removed", kv("container", id));
    kill_bundle(id);
    co_return co_await erase_leftovers(id);
  }
  auto container = std::make_shared<Container>();
  container->record = std::move(*record);
  containers_[id] = container;
  co_return co_await adopt(container);
}

Task<Result<void>> BuiltinRuntime::adopt(ContainerRef container) {
  ContainerRecord& record = container->record;
  if (record.phase == Phase::exited) {
    if (!record.cleaned) co_await clean_up(container);
    co_return Result<void>();
  }
  if (record.epoch != epoch_) {
    lost_in_reboot(container);
    co_await clean_up(container);
    co_return Result<void>();
  }
  if (record.phase == Phase::created) {
    // We may have died between crun's start and our note of it.
    Command command;
    command.argv = {options_.crun, "--root=" + paths_.crun_root(), "state", record.id};
    command.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    auto running = run_process(std::move(command));
    KL_TRY(state, co_await std::move(running));
    const auto parsed = json::parse(state.out);
    if (parsed && json::text_at(*parsed, {"status"}) != "created") {
      record.phase = Phase::running;
      record.started = clock_.wall();
      KL_CHECK(save(record));
    }
  }
  // Ended meanwhile or not: the watcher sees at once.
  watch(container);
  co_return Result<void>();
}

void BuiltinRuntime::lost_in_reboot(ContainerRef container) {
  ContainerRecord& record = container->record;
  record.phase = Phase::exited;
  record.exit_code = kLostExitCode;
  record.finished = clock_.wall();
  record.message = "the machine was restarted";
  if (auto saved = save(record); !saved)
    log_.error("record not written", kv("container", record.id), kv("error", saved.error()));
  events_.push_back({record.sandbox_id, record.id});
  event_.notify_all();
}

// Things below the run directory that no record knows: their records were lost, or never written.
Task<Result<void>> BuiltinRuntime::remove_strays() {
  std::set<std::string> ids;
  for (const auto& dir : {paths_.bundles(), paths_.crun_root()})
    for (const auto& id : names_in(dir))
      if (!containers_.contains(id)) ids.insert(id);
  for (const auto& id : ids) {
    log_.info("removing a container that nobody knows", kv("container", id));
    kill_bundle(id);
    const auto erased = co_await erase_leftovers(id);
    if (!erased) log_.warn("not removed", kv("container", id), kv("error", erased.error()));
  }
  for (const auto& id : names_in(paths_.sandboxes_run())) {
    if (sandboxes_.contains(id)) continue;
    std::function<Result<void>()> job = [paths = paths_, id] { return discard_sandbox(paths, id); };
    const auto discarded = co_await on_worker(std::move(job));
    if (!discarded) log_.warn("not removed", kv("sandbox", id), kv("error", discarded.error()));
  }
  // Of execs whose kinglet is gone; their processes end with their pipes.
  for (const auto& name : names_in(paths_.exec())) ::unlink((paths_.exec() + "/" + name).c_str());
  co_return Result<void>();
}

}  // namespace kinglet::runtime
