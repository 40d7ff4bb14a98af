#include <signal.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/process.h"
#include "node/runtime/builtin_runtime.h"
#include "node/runtime/conmon.h"
#include "node/runtime/session.h"

namespace kinglet::runtime {
namespace {
struct RemoveFiles {
  const ExecInput& input;
  ~RemoveFiles() { remove_exec_files(input); }
};

// Gone with a caller who is cancelled, too: crun dies with run_process(), its process in the container here.
struct KillProcess {
  const ExecInput& input;
  bool ended = false;
  ~KillProcess() {
    if (ended) return;
    const auto pid = exec_pid(input);
    if (!pid) return;
    const auto killed = signal_process(identify_process(*pid), SIGKILL);
    (void)killed;  // it has ended meanwhile
  }
};
}  // namespace

ExecInput BuiltinRuntime::exec_input(const Container& container, ExecOptions options) {
  return {options_.crun, paths_, container.record.id, random_.hex(8), std::move(options)};
}

Task<Result<ExecResult>> BuiltinRuntime::exec_sync(std::string id, std::vector<std::string> argv, Duration timeout) {
  KL_TRY(container, find_running(id));
  if (argv.empty()) co_return Error(Code::invalid, "no command to run");
  ExecOptions options;
  options.argv = std::move(argv);
  const ExecInput input = exec_input(*container, std::move(options));
  KL_CHECK(write_exec_process(input));
  RemoveFiles remove{input};
  KillProcess kill{input};
  Command command = exec_command(input);
  command.output_bytes_max = kExecOutputBytesMax;
  auto running = run_process(std::move(command));
  auto ended = co_await with_deadline(clock_, timeout, std::move(running));
  if (!ended) co_return ended.error();
  kill.ended = true;
  if (ended->code != 0 && !exec_pid(input)) {
    const std::string why = ended->err.substr(0, ended->err.find('\n'));
    co_return Error(Code::unavailable, "{}", why.empty() ? "the command could not be started" : why);
  }
  co_return ExecResult{ended->code, std::move(ended->out), std::move(ended->err)};
}

Task<Result<std::unique_ptr<Session>>> BuiltinRuntime::exec(std::string id, ExecOptions options) {
  KL_TRY(container, find_running(id));
  if (options.argv.empty()) co_return Error(Code::invalid, "no command to run");
  ExecInput input = exec_input(*container, std::move(options));
  auto starting = start_exec(std::move(input), tasks_, clock_);
  co_return co_await std::move(starting);
}

namespace {
Task<Result<int>> exit_code_of(const Runtime& runtime, std::string id, Signal& changed) {
  for (;;) {
    KL_TRY(status, runtime.container(id));
    if (status.state == ContainerState::exited) co_return status.exit_code;
    co_await changed.wait();
  }
}
}  // namespace

Task<Result<std::unique_ptr<Session>>> BuiltinRuntime::attach(std::string id) {
  KL_TRY(container, find_running(id));
  AttachInput input;
  input.paths = paths_;
  input.id = id;
  input.tty = container->record.tty;
  input.wait = [this, container = container, id] { return exit_code_of(*this, id, container->changed); };
  co_return start_attach(std::move(input), tasks_);
}

}  // namespace kinglet::runtime
