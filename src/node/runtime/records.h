// What the runtime knows of its sandboxes and containers, as JSON on disk. Version 1; one file each.
//
// A record is written before the act it announces and after the act it confirms: `creating` and `removing` mean that
// anything may be half there, and recovery takes it away; every other phase means that what it says has happened.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "json/json.h"
#include "node/runtime/container_config.h"

namespace kinglet::runtime {

// A process that is still the one we mean: numbers are used again, start times are not.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat
  bool operator==(const ProcessId&) const = default;
};
// Of the process that has this number now; start_ticks 0: none has.
ProcessId identify_process(pid_t pid);
bool is_alive(const ProcessId& process);  // a zombie is not
// Sends a signal to exactly that process. Errors: not_found.
Result<void> signal_process(const ProcessId& process, int signal);

struct SandboxRecord {
  enum class Phase : uint8_t { creating, ready, removing };
  std::string id, epoch;
  Phase phase = Phase::creating;
  WallTime created{};
  SandboxConfig config;
};

struct ContainerRecord {
  enum class Phase : uint8_t { creating, created, running, exited, removing };
  std::string id, sandbox_id, epoch;
  Phase phase = Phase::creating;
  std::string name, image_reference, image_id, log_path, stop_signal, cgroup_path;
  int attempt = 0;
  bool tty = false, stdin_open = false;
  std::map<std::string, std::string> labels;
  ProcessId process, conmon;
  WallTime created{}, started{}, finished{};
  int exit_code = 0;
  bool oom_killed = false;
  bool cleaned = false;  // exited, and nothing is left but the record and the log
  std::string message;
};

std::string print_record(const SandboxRecord& record);
std::string print_record(const ContainerRecord& record);
// Errors: invalid (damaged; written by a newer kinglet).
Result<SandboxRecord> parse_sandbox_record(std::string_view text);
Result<ContainerRecord> parse_container_record(std::string_view text);

// Atomic, so that it survives kill -9 at any moment; not synced: after a power cut its container is gone anyway, and
// a record that was lost or cut short only means that there is something to clear away.
Result<void> write_record(const std::string& path, std::string_view text);
Result<std::string> read_text_file(const std::string& path, size_t bytes_max = 1 << 20);

}  // namespace kinglet::runtime
