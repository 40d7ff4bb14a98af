#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "node/runtime/records.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {
namespace {
struct ProcStat {
  char state = 0;
  uint64_t start_ticks = 0;
};

ProcStat read_stat(pid_t pid) {
  ProcStat out;
  const auto text = read_text_file(fmt::format("/proc/{}/stat", pid), 4096);
  if (!text) return out;
  // "pid (name) S ..." - the name may hold anything, also ") ", but not after the last one.
  const size_t close = text->rfind(')');
  if (close == std::string::npos || close + 2 >= text->size()) return out;
  out.state = (*text)[close + 2];
  size_t at = close + 2;
  for (int field = 3; field < 22 && at != std::string::npos; ++field) at = text->find(' ', at + 1);
  if (at != std::string::npos)
    std::from_chars(text->data() + at + 1, text->data() + text->size(), out.start_ticks);
  return out;
}
}  // namespace

ProcessId identify_process(pid_t pid) {
  if (pid <= 0) return {};
  return {pid, read_stat(pid).start_ticks};
}

bool is_alive(const ProcessId& process) {
  if (process.pid <= 0 || process.start_ticks == 0) return false;
  const auto now = read_stat(process.pid);
  return now.start_ticks == process.start_ticks && now.state != 'Z' && now.state != 'X';
}

Result<void> signal_process(const ProcessId& process, int signal) {
  // First a descriptor, then the check: the number cannot change hands in between.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd || !is_alive(process)) return Error(Code::not_found, "the process has ended");
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) != 0)
    return errno_error(errno, fmt::format("send signal {}", signal));
  return {};
}

Result<void> write_record(const std::string& path, std::string_view text) {
  const std::string temporary = path + ".new";
  {
    const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return errno_error(errno, temporary);
    while (!text.empty()) {
      const ssize_t n = ::write(fd.get(), text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error(errno, temporary);
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return errno_error(errno, path);
  return {};
}

Result<std::string> read_text_file(const std::string& path, size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error(errno, path);
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, path);
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > bytes_max) return Error(Code::too_large, "{} is larger than {} bytes", path, bytes_max);
  }
}

}  // namespace kinglet::runtime
