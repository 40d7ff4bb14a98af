#include "node/runtime/conmon.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "base/deadline.h"
#include "base/task.h"
#include "json/json.h"
#include "node/runtime/records.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace asio = boost::asio;
namespace {
constexpr size_t kSyncLineBytesMax = 64 << 10;
// A Raspberry Pi that swaps may take long; beyond this something hangs.
using Started = Result<std::shared_ptr<Child>>;
constexpr Duration kCreateTimeout = std::chrono::seconds(120);

Result<void> write_control(const StatePaths& paths, const std::string& id, const std::string& line) {
  // Without a reader (conmon gone) this is refused instead of waiting for one.
  const UniqueFd fifo(::open((paths.bundle(id) + "/ctl").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fifo || ::write(fifo.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return Error(Code::unavailable, "the container's monitor does not listen: {}", errno_error(errno, "ctl").message());
  return {};
}

Task<Result<std::string>> read_line(int fd) {
  asio::posix::stream_descriptor pipe(co_await asio::this_coro::executor, fd);
  std::string line;
  char buffer[4096];
  while (line.find('\n') == std::string::npos) {
    boost::system::error_code failed;
    const size_t n = co_await pipe.async_read_some(asio::buffer(buffer),
                                                   asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted) throw boost::system::system_error(failed);
    if (failed || n == 0 || line.size() > kSyncLineBytesMax) break;
    line.append(buffer, n);
  }
  co_return line;
}
}  // namespace

Command conmon_command(const ConmonInput& in) {
  const std::string bundle = in.paths.bundle(in.id);
  Command out;
  out.argv = {in.conmon,
              "-c", in.id,
              "-u", in.id,
              "-b", bundle,
              "-r", in.crun,
              "-p", bundle + "/pidfile",
              "--conmon-pidfile", bundle + "/conmon.pid",
              "-l", in.log_path.empty() ? std::string("none:") : "k8s-file:" + in.log_path,
              "--exit-dir", in.paths.exits(),
              "--persist-dir", bundle,
              "--socket-dir-path", bundle,
              "--full-attach",
              // The log is flushed by the system in its own time: flash wears out by syncs.
              "--no-sync-log",
              "--runtime-arg", "--root=" + in.paths.crun_root(),
              "--runtime-arg", "--cgroup-manager=cgroupfs"};
  if (in.stdin_open) out.argv.emplace_back("-i");
  // Without it the container's stdin ends with the first client that leaves: what stdinOnce asks for.
  if (in.stdin_open && !in.stdin_once) out.argv.emplace_back("--leave-stdin-open");
  if (in.tty) out.argv.emplace_back("-t");
  const char* path = std::getenv("PATH");
  out.env = {fmt::format("PATH={}", path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path),
             fmt::format("_OCI_SYNCPIPE={}", kSyncPipe)};
  out.directory = "/";
  out.new_session = true;
  return out;
}

Result<pid_t> parse_sync_line(std::string_view line) {
  // crun's whole stderr is in there, control characters and all, so take care of what is not quite JSON.
  const auto parsed = json::parse(line.substr(0, line.find('\n')));
  if (!parsed)
    return Error(Code::unavailable, "the container was not made: {}",
                 line.empty() ? "its monitor ended without a word" : line.substr(0, 500));
  // conmon's exec mode calls it "data", create "pid".
  const int64_t pid = json::int_at(*parsed, {"pid"}, json::int_at(*parsed, {"data"}, -1));
  if (pid > 0 && pid <= INT32_MAX) return static_cast<pid_t>(pid);
  std::string message(json::text_at(*parsed, {"message"}));
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  return Error(Code::unavailable, "{}", message.empty() ? "the container was not made" : message);
}

Task<Result<pid_t>> launch_conmon(Command command, Clock& clock, Worker& starter) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) co_return errno_error(errno, "pipe");
  UniqueFd ours(pipe[0]), theirs(pipe[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  command.pass_fds = {{theirs.get(), kSyncPipe}};
  // Owned by the job: it runs to its end even if we are cancelled.
  const auto pipe_end = std::make_shared<UniqueFd>(std::move(theirs));
  std::function<Started()> job = [command, pipe_end]() -> Started {
    ChildStreams quiet;
    quiet.out = Stdio::null;
    quiet.err = Stdio::null;
    auto child = start_process(command, quiet);
    pipe_end->reset();
    if (!child) return child.error();
    return std::shared_ptr<Child>(std::move(*child));
  };
  auto child = co_await starter.run(std::move(job));
  if (!child) co_return child.error();
  auto line = co_await with_deadline(clock, kCreateTimeout, read_line(ours.release()));
  if (!line) co_return std::move(line.error()).with_context("wait for the container's monitor");
  // Only the first of conmon's two processes; it ends at once.
  const int ended = co_await (*child)->wait();
  if (line->empty() && ended != 0) co_return Error(Code::unavailable, "conmon ended with {}", ended);
  co_return parse_sync_line(*line);
}

Result<void> conmon_reopen_log(const StatePaths& paths, const std::string& id) {
  return write_control(paths, id, "2 0 0\n");
}

Result<void> conmon_resize(const StatePaths& paths, const std::string& id, uint16_t rows, uint16_t columns) {
  return write_control(paths, id, fmt::format("1 {} {}\n", rows, columns));
}

std::optional<ExitFile> read_exit_file(const StatePaths& paths, const std::string& id) {
  const std::string path = paths.exit_file(id);
  const auto text = read_text_file(path, 64);
  struct stat info {};
  if (!text || ::stat(path.c_str(), &info) != 0) return std::nullopt;
  ExitFile out;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), out.code);
  if (failed != std::errc()) return std::nullopt;
  out.when.since_epoch = std::chrono::seconds(info.st_mtim.tv_sec) +
                         std::chrono::microseconds(info.st_mtim.tv_nsec / 1000);
  return out;
}

bool saw_oom(const StatePaths& paths, const std::string& id) {
  return ::access((paths.bundle(id) + "/oom").c_str(), F_OK) == 0;
}

std::vector<pid_t> processes_of_bundle(const StatePaths& paths, const std::string& id) {
  std::vector<pid_t> out;
  const std::string bundle = paths.bundle(id);
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || end != name.data() + name.size() || pid == ::getpid()) continue;
    const auto line = read_text_file(entry.path().string() + "/cmdline", 1 << 20);
    if (!line) continue;
    // As a whole argument: "-b", "<bundle>".
    const std::string argument = std::string(1, '\0') + bundle + std::string(1, '\0');
    if (line->find(argument) != std::string::npos) out.push_back(pid);
  }
  return out;
}

}  // namespace kinglet::runtime
