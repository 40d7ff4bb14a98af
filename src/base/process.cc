#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "base/task.h"
#include "base/task_group.h"

namespace kinglet {
namespace asio = boost::asio;

namespace {

// Owns a descriptor; -1: none.
class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

int code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

class RunningChild final : public Child {
 public:
  RunningChild(pid_t pid, Fd pidfd, Fd in, Fd out, Fd err)
      : pid_(pid),
        pidfd_(std::move(pidfd)),
        in_(std::move(in)),
        out_(std::move(out)),
        err_(std::move(err)) {}
  ~RunningChild() override {
    if (code_) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  pid_t pid() const override { return pid_; }
  int stdin_fd() const override { return in_.get(); }
  int stdout_fd() const override { return out_.get(); }
  int stderr_fd() const override { return err_.get(); }
  void close_stdin() override { in_.reset(); }
  void kill(int signal) override {
    // Until it has been reaped the number is its own, even when it has already died.
    if (!code_) ::kill(pid_, signal);
  }
  Task<int> wait() override {
    while (!reap()) {
      asio::posix::stream_descriptor watched(co_await asio::this_coro::executor,
                                             ::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0));
      co_await watched.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
    }
    co_return *code_;
  }

 private:
  bool reap() {
    if (code_) return true;
    int status = 0;
    const pid_t got = ::waitpid(pid_, &status, WNOHANG);
    if (got == pid_) code_ = code_of(status);
    if (got < 0 && errno != EINTR) code_ = 255;  // somebody else reaped it: the code is lost
    return code_.has_value();
  }
  pid_t pid_;
  Fd pidfd_, in_, out_, err_;
  std::optional<int> code_;
};

struct Pipe {
  Fd ours, theirs;
};

Result<Pipe> make_pipe(bool we_write) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return errno_error(errno, "pipe");
  Pipe pipe{Fd(fds[we_write ? 1 : 0]), Fd(fds[we_write ? 0 : 1])};
  // Only our end: the flag belongs to each end, and programs do not expect it on theirs.
  ::fcntl(pipe.ours.get(), F_SETFL, ::fcntl(pipe.ours.get(), F_GETFL) | O_NONBLOCK);
  return pipe;
}

// What the child shall find at which number; sources lie above every target, so that no dup2 hits
// one.
class FdPlan {
 public:
  void add(int source, int target) {
    sources_.push_back(source);
    targets_.push_back(target);
  }
  Result<void> fill(posix_spawn_file_actions_t& actions) {
    const int above = *std::max_element(targets_.begin(), targets_.end()) + 1;
    for (size_t i = 0; i < targets_.size(); ++i) {
      lifted_.emplace_back(::fcntl(sources_[i], F_DUPFD_CLOEXEC, above));
      if (lifted_.back().get() < 0)
        return errno_error(errno, fmt::format("descriptor {}", sources_[i]));
      ::posix_spawn_file_actions_adddup2(&actions, lifted_.back().get(), targets_[i]);
    }
    // Whatever a library forgot to mark close-on-exec stays here.
    ::posix_spawn_file_actions_addclosefrom_np(&actions, above);
    return {};
  }

 private:
  std::vector<int> sources_, targets_;
  std::vector<Fd> lifted_;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

Result<pid_t> spawn(const Command& command, FdPlan& fds) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  struct Free {
    posix_spawn_file_actions_t& actions;
    posix_spawnattr_t& attributes;
    ~Free() {
      ::posix_spawn_file_actions_destroy(&actions);
      ::posix_spawnattr_destroy(&attributes);
    }
  } free_both{actions, attributes};

  KL_CHECK_FN(fds.fill(actions));
  if (!command.directory.empty())
    ::posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (command.new_session) flags |= POSIX_SPAWN_SETSID;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags));

  const auto argv = pointers(command.argv);
  const auto env = pointers(command.env);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(),
                                    command.env.empty() ? environ : env.data());
  if (failed != 0) return errno_error(failed, "start " + command.argv[0]);
  return pid;
}

// Reads what is there, keeping at most `bytes_max`. True: the other end is closed.
bool drain(int fd, std::string& out, size_t bytes_max) {
  char chunk[16 << 10];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno != EAGAIN;
    if (n == 0) return true;
    out.append(chunk, std::min(static_cast<size_t>(n), bytes_max - out.size()));
  }
}

Task<void> collect(int fd, std::string& out, size_t bytes_max) {
  asio::posix::stream_descriptor watched(co_await asio::this_coro::executor,
                                         ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  do {
    co_await watched.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
  } while (!drain(fd, out, bytes_max));
}

Task<void> feed(Child& child, const std::string& input) {
  asio::posix::stream_descriptor to(co_await asio::this_coro::executor,
                                    ::fcntl(child.stdin_fd(), F_DUPFD_CLOEXEC, 0));
  boost::system::error_code ignored;  // a program need not read its input to the end
  co_await asio::async_write(to, asio::buffer(input),
                             asio::redirect_error(asio::use_awaitable, ignored));
  child.close_stdin();
}

Task<void> await_exit(Child& child, Exit& exit, TaskGroup& group) {
  exit.code = co_await child.wait();
  group.cancel();
}

}  // namespace

Result<std::unique_ptr<Child>> start_process(const Command& command, ChildStreams streams) {
  if (command.argv.empty()) return Error(Code::internal, "start a program without a name");
  // A child that closes its input early must not kill us.
  if (::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return errno_error(errno, "signal");

  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (null.get() < 0) return errno_error(errno, "open /dev/null");
  const Stdio wanted[3] = {streams.in, streams.out, streams.err};
  Pipe pipes[3];
  FdPlan fds;
  for (int i = 0; i < 3; ++i) {
    if (wanted[i] == Stdio::pipe) {
      KL_TRY_FN(pipe, make_pipe(i == 0));
      pipes[i] = std::move(pipe);
    }
    fds.add(wanted[i] == Stdio::pipe ? pipes[i].theirs.get() : null.get(), i);
  }
  for (const auto& [ours, number] : command.pass_fds) fds.add(ours, number);
  KL_TRY_FN(pid, spawn(command, fds));

  // The number cannot be reused before we have reaped it, so this is the right process.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  const int failed = errno;
  std::unique_ptr<Child> child = std::make_unique<RunningChild>(
      pid, Fd(pidfd), std::move(pipes[0].ours), std::move(pipes[1].ours), std::move(pipes[2].ours));
  if (pidfd < 0) return errno_error(failed, "pidfd_open (kinglet needs Linux 5.3 or newer)");
  return child;
}

Task<Result<Exit>> run_process(Command command) {
  const ChildStreams streams{.in = command.input.empty() ? Stdio::null : Stdio::pipe};
  KL_TRY(child, start_process(command, streams));
  Exit exit;
  TaskGroup group;
  if (!command.input.empty()) group.add("stdin", feed(*child, command.input));
  group.add("stdout", collect(child->stdout_fd(), exit.out, command.output_bytes_max));
  group.add("stderr", collect(child->stderr_fd(), exit.err, command.output_bytes_max));
  group.add("exit", await_exit(*child, exit, group));
  KL_CHECK(co_await group.run());
  // Read what it left behind, but do not wait for an end of file: a daemon it started may hold the
  // pipes.
  drain(child->stdout_fd(), exit.out, command.output_bytes_max);
  drain(child->stderr_fd(), exit.err, command.output_bytes_max);
  co_return exit;
}

}  // namespace kinglet
