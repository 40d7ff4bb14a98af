#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/deadline.h"
#include "base/task.h"
#include "json/json.h"
#include "node/runtime/oci_spec.h"
#include "node/runtime/session.h"
#include "node/runtime/stream_buffer.h"

namespace kinglet::runtime {
namespace asio = boost::asio;
namespace {
constexpr Duration kTerminalTimeout = std::chrono::seconds(30);
// What the process has said is in the pipes when it ends; a child of it may keep them open for ever.
constexpr Duration kDrainTime = std::chrono::milliseconds(500);

std::string file_of(const ExecInput& in, const char* ending) {
  return fmt::format("{}/{}{}", in.paths.exec(), in.token, ending);
}

UniqueFd own(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (copy) ::fcntl(copy.get(), F_SETFL, ::fcntl(copy.get(), F_GETFL) | O_NONBLOCK);
  return copy;
}

class ExecSession final : public Session {
 public:
  ExecSession(ExecInput input, std::unique_ptr<Child> child, UniqueFd terminal)
      : input_(std::move(input)), child_(std::move(child)), terminal_(std::move(terminal)) {}
  ~ExecSession() override {
    buffer_->finish();
    // The process in the container is crun's child, not ours: killing crun alone would leave it running.
    if (!ended_)
      if (const auto pid = exec_pid(input_)) {
        const auto gone = signal_process(identify_process(*pid), SIGKILL);
        (void)gone;  // it has ended meanwhile
      }
    remove_exec_files(input_);
  }

  void start(TaskGroup& owner) {
    const auto add = [&](int fd, Chunk::Stream stream) {
      if (fd < 0) return;
      buffer_->open();
      owner.add("exec stream", pump(own(fd), stream, false, buffer_));
    };
    add(terminal_ ? terminal_.get() : child_->stdout_fd(), Chunk::Stream::out);
    add(child_->stderr_fd(), Chunk::Stream::err);  // with a terminal: what crun itself has to say
  }

  Task<Result<Chunk>> read() override { co_return co_await buffer_->pop(); }

  Task<Result<void>> write(std::string data) override {
    const int fd = terminal_ ? terminal_.get() : child_->stdin_fd();
    if (fd < 0 || stdin_closed_) co_return Error(Code::unavailable, "stdin is closed");
    co_return co_await write_fully(fd, std::move(data));
  }

  void close_stdin() override {
    if (std::exchange(stdin_closed_, true)) return;
    // A terminal has no end of its own: end of transmission, as ^D at a keyboard.
    if (terminal_ && ::write(terminal_.get(), "\x04", 1) < 0) return;
    if (!terminal_) child_->close_stdin();
  }

  Result<void> resize(uint16_t rows, uint16_t columns) override {
    if (!terminal_) return {};
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    if (::ioctl(terminal_.get(), TIOCSWINSZ, &size) != 0) return errno_error(errno, "resize");
    return {};
  }

  Task<Result<int>> wait() override {
    const int code = co_await child_->wait();
    ended_ = true;
    // crun's own failure, told on stderr, in the way shells number it.
    constexpr int kNotFound = 127;
    co_return code != 0 && !exec_pid(input_) ? kNotFound : code;
  }

  // When the process has ended, its streams end soon too, even if something it left behind holds them.
  static Task<void> end_streams(std::shared_ptr<StreamBuffer> buffer, ProcessId process, Clock& clock) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open_number(), process.pid, 0)));
    if (pidfd) {
      asio::posix::stream_descriptor watched(co_await asio::this_coro::executor,
                                             ::fcntl(pidfd.get(), F_DUPFD_CLOEXEC, 0));
      co_await watched.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
    }
    co_await clock.sleep(kDrainTime);
    buffer->finish();
  }
  static long SYS_pidfd_open_number() { return 434; }  // the same on every architecture

  void end_streams_with_process(TaskGroup& owner, Clock& clock) {
    owner.add("exec end", end_streams(buffer_, identify_process(child_->pid()), clock));
  }

 private:
  ExecInput input_;
  std::unique_ptr<Child> child_;
  UniqueFd terminal_;
  std::shared_ptr<StreamBuffer> buffer_ = std::make_shared<StreamBuffer>();
  bool stdin_closed_ = false, ended_ = false;
};

Result<UniqueFd> listen_for_terminal(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(Code::invalid, "the run directory's path is too long for a socket: {}", path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener || ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 1) != 0)
    return errno_error(errno, path);
  return listener;
}

Result<UniqueFd> take_descriptor(int socket) {
  char byte = 0;
  char control[CMSG_SPACE(sizeof(int))];
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return errno_error(errno, "receive the terminal");
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return UniqueFd(fd);
  }
  return Error(Code::unavailable, "crun sent no terminal");
}

Task<Result<UniqueFd>> accept_terminal(int listener) {
  const auto executor = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor watched(executor, ::fcntl(listener, F_DUPFD_CLOEXEC, 0));
  co_await watched.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
  UniqueFd connection(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) co_return errno_error(errno, "accept the terminal");
  asio::posix::stream_descriptor peer(executor, ::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  co_await peer.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
  co_return take_descriptor(connection.get());
}

// The terminal, unless crun ends first; then its own words.
Task<Result<void>> until_terminal(int listener, UniqueFd& out, TaskGroup& race) {
  auto got = co_await accept_terminal(listener);
  if (!got) co_return got.error();
  out = std::move(*got);
  race.cancel();
  co_return Result<void>();
}
Task<Result<void>> until_end(Child& child, TaskGroup& race) {
  co_await child.wait();
  race.cancel();
  co_return Result<void>();
}
Task<Result<void>> run_race(TaskGroup& race) { co_return co_await race.run(); }

std::string read_some(int fd) {
  std::string text(4096, '\0');
  const ssize_t n = fd < 0 ? -1 : ::read(fd, text.data(), text.size());
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}
}  // namespace

Command exec_command(const ExecInput& in) {
  Command out;
  out.argv = {in.crun, "--root=" + in.paths.crun_root(), "--cgroup-manager=cgroupfs", "exec",
              "--process", file_of(in, ".json"), "--pid-file", file_of(in, ".pid")};
  if (in.options.tty) {
    out.argv.emplace_back("--console-socket");
    out.argv.push_back(file_of(in, ".sock"));
  }
  out.argv.push_back(in.id);
  out.env = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  out.directory = "/";
  out.new_session = true;
  return out;
}

Result<void> write_exec_process(const ExecInput& in) {
  const auto text = read_text_file(in.paths.bundle(in.id) + "/process.json", 4 << 20);
  if (!text) return Error(Code::conflict, "container {} does not run", in.id);
  KL_TRY_FN(process, json::parse(*text));
  if (!process.is_object()) return Error(Code::invalid, "damaged process.json");
  const json::Object spec{{"process", std::move(process)}};
  return write_record(file_of(in, ".json"), json::print(exec_process(spec, in.options.argv, in.options.tty)));
}

void remove_exec_files(const ExecInput& in) {
  for (const char* ending : {".json", ".pid", ".sock"}) ::unlink(file_of(in, ending).c_str());
}

std::optional<pid_t> exec_pid(const ExecInput& in) {
  const auto text = read_text_file(file_of(in, ".pid"), 64);
  pid_t pid = 0;
  if (!text) return std::nullopt;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), pid);
  if (failed != std::errc() || pid <= 0) return std::nullopt;
  return pid;
}

Task<Result<std::unique_ptr<Session>>> start_exec(ExecInput input, TaskGroup& owner, Clock& clock) {
  KL_CHECK(write_exec_process(input));
  struct Remove {
    const ExecInput* input;
    ~Remove() {
      if (input != nullptr) remove_exec_files(*input);
    }
  } remove{&input};
  UniqueFd listener;
  ChildStreams streams;
  if (input.options.tty) {
    KL_TRY(made, listen_for_terminal(file_of(input, ".sock")));
    listener = std::move(made);
    streams.out = Stdio::null;
  } else if (input.options.stdin_open) {
    streams.in = Stdio::pipe;
  }
  const Command command = exec_command(input);
  KL_TRY(child, start_process(command, streams));
  UniqueFd terminal;
  if (input.options.tty) {
    TaskGroup race;
    race.add("terminal", until_terminal(listener.get(), terminal, race));
    race.add("exec", until_end(*child, race));
    KL_CHECK(co_await with_deadline(clock, kTerminalTimeout, run_race(race)), "exec");
    if (!terminal) {
      const std::string why = read_some(child->stderr_fd());
      co_return Error(Code::unavailable, "{}", why.empty() ? "the process could not be started" : why);
    }
  }
  remove.input = nullptr;
  auto session = std::make_unique<ExecSession>(std::move(input), std::move(child), std::move(terminal));
  session->start(owner);
  session->end_streams_with_process(owner, clock);
  co_return std::unique_ptr<Session>(std::move(session));
}

}  // namespace kinglet::runtime
