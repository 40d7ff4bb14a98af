#include "node/runtime/stop_signal.h"

#include <signal.h>

#include <charconv>
#include <utility>

namespace kinglet::runtime {
int signal_number(std::string_view name) {
  int number = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (failed == std::errc() && end == name.data() + name.size())
    return number > 0 && number <= SIGRTMAX ? number : SIGTERM;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  static const std::pair<std::string_view, int> kSignals[] = {
      {"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ABRT", SIGABRT}, {"KILL", SIGKILL},
      {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"TERM", SIGTERM},
      {"CONT", SIGCONT}, {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"WINCH", SIGWINCH}, {"POLL", SIGPOLL},
      {"PWR", SIGPWR},   {"RTMIN", SIGRTMIN}, {"RTMAX", SIGRTMAX}};
  for (const auto& [known, value] : kSignals)
    if (name == known) return value;
  if (name.starts_with("RTMIN+")) {
    name.remove_prefix(6);
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc() && number >= 0 &&
        SIGRTMIN + number <= SIGRTMAX)
      return SIGRTMIN + number;
  }
  return SIGTERM;
}
}  // namespace kinglet::runtime
