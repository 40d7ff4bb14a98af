// Sessions: the streams of an exec'ed process or of a container, as somebody talks to them.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/process.h"
#include "base/signal.h"
#include "base/task_group.h"
#include "node/runtime/conmon.h"
#include "node/runtime/records.h"
#include "node/runtime/runtime.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {

// How much is kept for a reader who is slow; then the process is not read any more, and waits.
constexpr size_t kSessionBufferBytesMax = 256 << 10;

struct ExecInput {
  std::string crun;
  StatePaths paths;
  std::string id;     // of the container
  std::string token;  // names this exec's files
  ExecOptions options;
};
// Pure, for tests: what runs.
Command exec_command(const ExecInput& input);
// Writes <exec>/<token>.json from the bundle's process.json. Errors: conflict (no such bundle), io.
Result<void> write_exec_process(const ExecInput& input);
void remove_exec_files(const ExecInput& input);
// Whether crun got as far as starting the process: it wrote its number.
std::optional<pid_t> exec_pid(const ExecInput& input);

// Tasks that read the streams are added to `owner`, which outlives the session's process.
Task<Result<std::unique_ptr<Session>>> start_exec(ExecInput input, TaskGroup& owner, Clock& clock);

struct AttachInput {
  StatePaths paths;
  std::string id;
  bool tty = false;
  std::function<Task<Result<int>>()> wait;  // for the container's end
};
Result<std::unique_ptr<Session>> start_attach(AttachInput input, TaskGroup& owner);

}  // namespace kinglet::runtime
