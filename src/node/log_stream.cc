#include "node/log_stream.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>

#include "base/deadline.h"
#include "base/task.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::node {
namespace asio = boost::asio;

namespace {
constexpr size_t kReadBytes = 64 << 10;
constexpr off_t kTailBytes = 64 << 10;
// How often a follower looks whether its container still runs; the file's own events wake it at
// once.
constexpr Duration kLookAgain = std::chrono::seconds(1);

// A container's log, its rotation included: the name stays, the file behind it changes.
class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)) {}

  // Errors: not_found, io.
  Result<void> open() {
    fd_ = runtime::UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd_.get() < 0) return errno_error(errno, path_);
    return {};
  }
  bool is_open() const { return fd_.get() >= 0; }

  Result<size_t> read(std::span<char> out) {
    const ssize_t got = ::read(fd_.get(), out.data(), out.size());
    if (got < 0) return errno_error(errno, path_);
    return static_cast<size_t>(got);
  }

  // Another file has the name now.
  bool rotated() const {
    struct stat ours {
    }, named{};
    return ::fstat(fd_.get(), &ours) == 0 && ::stat(path_.c_str(), &named) == 0 &&
           (ours.st_ino != named.st_ino || ours.st_dev != named.st_dev);
  }

  // Moves to the last `lines` lines, looking backwards in steps.
  Result<void> seek_tail(int64_t lines) {
    off_t begin = ::lseek(fd_.get(), 0, SEEK_END);
    if (begin < 0) return errno_error(errno, path_);
    if (lines == 0) return {};
    std::string tail(static_cast<size_t>(kTailBytes), '\0');
    // The newline that ends the last line is not one before it.
    int64_t left = lines == INT64_MAX ? lines : lines + 1;
    bool last = true;
    while (begin > 0) {
      const off_t from = std::max<off_t>(0, begin - kTailBytes);
      const ssize_t got = ::pread(fd_.get(), tail.data(), static_cast<size_t>(begin - from), from);
      if (got < 0) return errno_error(errno, path_);
      if (last && got > 0 && tail[static_cast<size_t>(got) - 1] != '\n') --left;
      last = false;
      for (ssize_t i = got; i-- > 0;) {
        if (tail[static_cast<size_t>(i)] != '\n' || --left > 0) continue;
        return seek(from + i + 1);
      }
      begin = from;
    }
    return seek(0);
  }

 private:
  Result<void> seek(off_t to) {
    if (::lseek(fd_.get(), to, SEEK_SET) < 0) return errno_error(errno, path_);
    return {};
  }
  const std::string path_;
  runtime::UniqueFd fd_;
};

// Tells when something happens in a directory.
class DirectoryWatch {
 public:
  DirectoryWatch(asio::any_io_executor executor, const std::string& directory) : events_(executor) {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return;  // out of watches: the follower looks once a second
    ::inotify_add_watch(fd, directory.c_str(),
                        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE);
    events_.assign(fd);
  }
  Task<Result<void>> wait() {
    boost::system::error_code ended;
    if (events_.is_open())
      co_await events_.async_wait(asio::posix::stream_descriptor::wait_read,
                                  asio::redirect_error(asio::use_awaitable, ended));
    const auto cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none)
      throw boost::system::system_error(asio::error::operation_aborted);
    if (!events_.is_open()) co_return Result<void>();
    char drop[4096];
    while (::read(events_.native_handle(), drop, sizeof(drop)) > 0) {
    }
    co_return Result<void>();
  }
  bool works() const { return events_.is_open(); }

 private:
  asio::posix::stream_descriptor events_;
};

Task<void> wait_for_change(Clock& clock, DirectoryWatch& watch) {
  if (!watch.works()) {
    co_await clock.sleep(kLookAgain);
    co_return;
  }
  auto waiting = watch.wait();
  const auto changed = co_await with_deadline(clock, kLookAgain, std::move(waiting));
  (void)changed;  // a timeout is no error: it is time to look
}

Error still_waiting(const ContainerView& view, const LogTarget& target) {
  return Error(Code::bad_request, "container \"{}\" in pod \"{}\" is waiting to start: {}",
               target.container, target.pod,
               view.waiting_reason.empty() ? "ContainerCreating" : view.waiting_reason);
}

// The file to send, or why there is none, in the kubelet's words.
Result<std::string> choose_log(const ContainerView& view, const LogTarget& target, bool previous) {
  if (previous) {
    if (view.previous_log_path.empty())
      return Error(Code::bad_request,
                   "previous terminated container \"{}\" in pod \"{}\" not found", target.container,
                   target.pod);
    return view.previous_log_path;
  }
  // A container that has been made and not started has a path, but no file yet.
  const bool waiting = view.state == ContainerView::State::waiting;
  if (view.log_path.empty() || (waiting && ::access(view.log_path.c_str(), F_OK) != 0))
    return still_waiting(view, target);
  return view.log_path;
}

class LogSender {
 public:
  LogSender(ContainerAccess& containers, Clock& clock, net::Exchange& exchange, LogTarget target,
            LogOptions options, std::string path)
      : containers_(containers),
        clock_(clock),
        exchange_(exchange),
        target_(std::move(target)),
        options_(options),
        path_(path),
        file_(path),
        filter_(options) {}

  Task<Result<void>> run() {
    const auto opened = file_.open();
    if (!opened && opened.code() != Code::not_found) co_return opened.error();
    if (!opened && !options_.follow)
      co_return Error(Code::not_found, "the log of container \"{}\" has gone", target_.container);
    if (opened && options_.tail_lines) KL_CHECK(file_.seek_tail(*options_.tail_lines));
    net::Headers headers;
    headers.add("content-type", "text/plain");
    KL_CHECK(co_await exchange_.start(200, std::move(headers)));
    // Before the first read: what is written between the two would be missed otherwise.
    DirectoryWatch watch(co_await asio::this_coro::executor, path_.substr(0, path_.rfind('/')));
    for (bool ended = false;;) {
      KL_TRY(more, co_await send_rest());
      if (!more || !options_.follow || ended) break;
      if (reopened()) continue;
      // Asked before the last look at the file: whatever the container wrote is there by then.
      ended = container_ended();
      if (!ended) co_await wait_for_change(clock_, watch);
    }
    co_return co_await exchange_.finish();
  }

 private:
  // False: the byte limit is reached.
  Task<Result<bool>> send_rest() {
    std::string buffer(kReadBytes, '\0');
    while (file_.is_open()) {
      KL_TRY(got, file_.read(std::span<char>(buffer)));
      if (got == 0) break;
      std::string out;
      const bool more = filter_.feed(std::string_view(buffer).substr(0, got), out);
      if (!out.empty()) {
        const std::vector<Bytes> pieces(1, Bytes(out));
        KL_CHECK(co_await exchange_.write(pieces));
      }
      if (!more) co_return false;
    }
    co_return true;
  }

  bool reopened() {
    if (file_.is_open() && !file_.rotated()) return false;
    if (!file_.open()) return false;
    filter_.end_of_file();
    return true;
  }

  bool container_ended() const {
    if (options_.previous) return true;
    const auto view = containers_.find_container(target_.ns, target_.pod, target_.container);
    // A restarted container has another log: this one is complete.
    return !view || view->log_path != path_ || view->state == ContainerView::State::exited;
  }

  ContainerAccess& containers_;
  Clock& clock_;
  net::Exchange& exchange_;
  const LogTarget target_;
  const LogOptions options_;
  const std::string path_;
  LogFile file_;
  LogFilter filter_;
};
}  // namespace

Task<Result<void>> send_log(ContainerAccess& containers, Clock& clock, net::Exchange& exchange,
                            LogTarget target, LogOptions options) {
  KL_TRY(view, containers.find_container(target.ns, target.pod, target.container));
  KL_TRY(path, choose_log(view, target, options.previous));
  LogSender sender(containers, clock, exchange, target, options, path);
  co_return co_await sender.run();
}

}  // namespace kinglet::node
