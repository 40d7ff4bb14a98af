// Runtime: sandboxes and containers on this machine. CRI-shaped, in process.
//
// Loop only. Everything it makes outlives this process: a new Runtime on the same directories adopts it in recover().
// Each change runs to its end even if the caller is cancelled; calling again finds out how it ended. That is why run()
// must be running before anything else is called. Every method may be called again after any failure.
// Calls for one container must not overlap, but for stop() and kill(), and exec while it runs.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "node/runtime/container_config.h"
#include "node/runtime/images.h"

namespace kinglet::runtime {

struct SandboxStatus {
  std::string id;
  bool ready = false;  // its namespaces and mounts are there (false: the machine was rebooted)
  WallTime created{};
  SandboxConfig config;
};

enum class ContainerState : uint8_t { created, running, exited };

struct ContainerStatus {
  std::string id, sandbox_id;
  std::string name;
  int attempt = 0;
  ContainerState state = ContainerState::created;
  pid_t pid = 0;  // of its first process, while it runs
  int exit_code = 0;
  bool oom_killed = false;
  std::string message;  // why it ended, where the exit code does not say: "the machine was restarted"
  WallTime created{}, started{}, finished{};
  std::string image_reference, image_id;  // as asked for; "sha256:..."
  std::string log_path;
  std::map<std::string, std::string> labels;
};

struct ContainerEvent {
  std::string sandbox_id, container_id;
};

struct ContainerStats {
  uint64_t cpu_ns = 0;
  uint64_t memory_bytes = 0, working_set_bytes = 0, rss_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // 0: none
  uint64_t page_faults = 0, major_page_faults = 0;
  uint64_t pids = 0;
};

// One piece of what a process said.
struct Chunk {
  enum class Stream : uint8_t { out, err, end };
  Stream stream = Stream::end;
  std::string data;
};
constexpr size_t kChunkBytesMax = 32 << 10;

// A process in a container (exec), or the container's own streams (attach), as somebody talks to it.
// Destroying an exec session kills its process; destroying an attach session leaves the container alone.
class Session {
 public:
  virtual ~Session() = default;
  // The next piece; `end` once all streams are closed. One reader at a time.
  virtual Task<Result<Chunk>> read() = 0;
  // Errors: unavailable (its stdin is closed).
  virtual Task<Result<void>> write(std::string data) = 0;
  virtual void close_stdin() = 0;
  virtual Result<void> resize(uint16_t rows, uint16_t columns) = 0;
  // The exit code, once it has ended (attach: of the container).
  virtual Task<Result<int>> wait() = 0;
};

struct ExecOptions {
  std::vector<std::string> argv;
  bool tty = false;
  bool stdin_open = false;
};
struct ExecResult {
  int code = 0;
  std::string out, err;  // at most kExecOutputBytesMax each
};
constexpr size_t kExecOutputBytesMax = 64 << 10;

class Runtime {
 public:
  virtual ~Runtime() = default;
  // Adopts what an earlier process left, and removes what it left half-made. Once, before run(). Containers that
  // ended meanwhile are reported by next_event().
  virtual Task<Result<void>> recover() = 0;
  // Does the work in the background until cancelled; nothing that runs in containers is touched by that.
  virtual Task<Result<void>> run() = 0;

  virtual Images& images() = 0;

  // Returns the sandbox's id. Errors: invalid, io.
  virtual Task<Result<std::string>> create_sandbox(SandboxConfig config) = 0;
  // Kills and removes its containers, its cgroup, its mounts. Idempotent. The network namespace stays the caller's.
  virtual Task<Result<void>> remove_sandbox(std::string id) = 0;
  virtual std::vector<SandboxStatus> sandboxes() const = 0;

  // Makes the container without starting it; returns its id (64 hex digits).
  // Errors: not_found (image), invalid (the configuration; "container has runAsNonRoot and image will run as root"),
  // unavailable or io with crun's own message (no such program, no memory).
  virtual Task<Result<std::string>> create_container(std::string sandbox_id, ContainerConfig config) = 0;
  virtual Task<Result<void>> start_container(std::string id) = 0;
  // The image's stop signal, then KILL when `grace` is over; returns when it is gone. Idempotent.
  virtual Task<Result<void>> stop_container(std::string id, Duration grace) = 0;
  virtual Result<void> kill_container(const std::string& id, int signal) = 0;
  // Kills it first if it runs. Its log stays. Idempotent.
  virtual Task<Result<void>> remove_container(std::string id) = 0;
  virtual Result<ContainerStatus> container(const std::string& id) const = 0;  // errors: not_found
  virtual std::vector<ContainerStatus> containers() const = 0;
  virtual Task<Result<void>> update_resources(std::string id, Resources resources) = 0;

  // Errors: not_found, conflict (it does not run), timeout (its process was killed), unavailable (cannot be started,
  // with crun's message).
  virtual Task<Result<ExecResult>> exec_sync(std::string id, std::vector<std::string> argv, Duration timeout) = 0;
  virtual Task<Result<std::unique_ptr<Session>>> exec(std::string id, ExecOptions options) = 0;
  virtual Task<Result<std::unique_ptr<Session>>> attach(std::string id) = 0;

  // The next container that ended. One consumer; each end is told once per process. Look at container() for the rest.
  virtual Task<ContainerEvent> next_event() = 0;

  // Errors: not_found, unavailable (the machine counts no memory: fields stay 0 instead).
  virtual Result<ContainerStats> stats(const std::string& id) const = 0;
  virtual Result<ContainerStats> sandbox_stats(const std::string& id) const = 0;
  // Sets limits of a cgroup between the root and the pods ("/kubepods/burstable"), making it if needed.
  virtual Result<void> set_cgroup(const std::string& path, const Resources& resources) = 0;
  virtual Task<Result<uint64_t>> writable_layer_bytes(std::string id) = 0;  // walks the files: not often

  // Moves logs that have grown beyond the limit aside ("0.log.20260102-150405") and drops the oldest. One pass; call
  // it every ten seconds or so.
  virtual Task<Result<void>> rotate_logs() = 0;
};

struct RuntimeOptions {
  std::string data_dir;                     // <data-dir>/agent: images, writable layers, records
  std::string run_dir = "/run/kinglet";     // bundles, sockets; gone after a reboot
  std::string cgroup_root = "/kubepods";    // made on start; pods go below
  std::string conmon_cgroup = "/kinglet-conmon";  // so that they neither die nor are counted with kinglet
  std::string crun = "crun", conmon = "conmon";   // absolute, or looked up in PATH
  // Our own binary with the hidden command that ends in unpack_main(); empty: unpack in this process (tests).
  std::vector<std::string> unpack_command;
  // Likewise, for pulls (ImageStoreOptions::fetch_command); empty: no pulls.
  std::vector<std::string> fetch_command = {};
  std::string registries_file = "/etc/kinglet/registries.yaml";
  uint64_t log_bytes_max = 10 << 20;
  int log_files_max = 5;  // per container, the current one included
};

// Errors: not_found (crun or conmon is missing: says which package has it), io.
Result<std::unique_ptr<Runtime>> make_builtin_runtime(RuntimeOptions options, Clock& clock, Random& random);

// The hidden command: `kinglet unpack-image <images directory> <archive>`. Prints what it found as JSON on stdout;
// a plain sentence on stderr and 1 when it cannot be done. Leaves nothing half-made.
int unpack_main(const std::vector<std::string>& args);

}  // namespace kinglet::runtime
