// Driving conmon, which holds a container's streams, log and exit code while kinglet comes and goes.
// Source: conmon(8), and its sync pipe as podman and CRI-O use it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/process.h"
#include "base/result.h"
#include "base/worker.h"
#include "node/runtime/state_paths.h"

namespace kinglet::runtime {

struct ConmonInput {
  std::string conmon, crun;
  StatePaths paths;
  std::string id, log_path;
  bool tty = false, stdin_open = false, stdin_once = false;
};
// Pure. Its number of the sync pipe is kSyncPipe.
Command conmon_command(const ConmonInput& input);
constexpr int kSyncPipe = 4;

// The line that conmon writes on the sync pipe once crun has made the container: its first process.
// Errors: unavailable with crun's own words.
Result<pid_t> parse_sync_line(std::string_view line);

// Runs conmon until the container is made; then both go on without us. Errors: unavailable (crun's words), timeout.
// It is started on `starter`'s thread, whose cgroup it gets.
Task<Result<pid_t>> launch_conmon(Command command, Clock& clock, Worker& starter);

// Errors: unavailable (its conmon is gone).
Result<void> conmon_reopen_log(const StatePaths& paths, const std::string& id);
Result<void> conmon_resize(const StatePaths& paths, const std::string& id, uint16_t rows, uint16_t columns);

struct ExitFile {
  int code = 0;
  WallTime when{};
};
std::optional<ExitFile> read_exit_file(const StatePaths& paths, const std::string& id);
// conmon saw the kernel kill something in the container for want of memory.
bool saw_oom(const StatePaths& paths, const std::string& id);
// The processes (conmon, crun) that work on a bundle: found by their command lines. Slow: for recovery.
std::vector<pid_t> processes_of_bundle(const StatePaths& paths, const std::string& id);

}  // namespace kinglet::runtime
