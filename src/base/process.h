// Child processes: started without a shell, waited for without blocking, never left behind.
#pragma once
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet {

struct Command {
  std::vector<std::string> argv;              // argv[0]: absolute path, or looked up in PATH
  std::vector<std::string> env;               // "K=V"; empty: the parent's
  std::string directory;                      // empty: the parent's
  std::string input;                          // fed to stdin (then closed); empty: /dev/null
  std::vector<std::pair<int, int>> pass_fds;  // (ours, number in the child): dup2'ed, not close-on-exec
  size_t output_bytes_max = 1 << 20;          // of stdout and stderr each; the rest is read and dropped
  bool new_session = false;                   // setsid: out of our process group
};

struct Exit {
  int code = 0;  // 0-255, or 128 + signal
  std::string out, err;
};

// Runs to the end. Cancelled: the child is killed and reaped first. Errors: not_found (no such program), io.
Task<Result<Exit>> run_process(Command command);

// A child whose standard streams the caller holds (exec sessions). Descriptors are non-blocking, close-on-exec.
class Child {
 public:
  virtual ~Child() = default;  // kills and reaps a child that still runs
  virtual pid_t pid() const = 0;
  virtual int stdin_fd() const = 0;   // -1 where not piped; the Child owns them
  virtual int stdout_fd() const = 0;
  virtual int stderr_fd() const = 0;
  virtual void close_stdin() = 0;
  virtual Task<int> wait() = 0;  // exit code as in Exit
  virtual void kill(int signal) = 0;
};
enum class Stdio { pipe, null };
struct ChildStreams {
  Stdio in = Stdio::null, out = Stdio::pipe, err = Stdio::pipe;
};
Result<std::unique_ptr<Child>> start_process(const Command& command, ChildStreams streams);

}  // namespace kinglet
