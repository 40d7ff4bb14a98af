// `kinglet agent`: a node whose server is elsewhere.
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>

#include "base/log.h"
#include "cli/agent_options.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/internal/run_to_end.h"
#include "cli/wire_agent.h"

namespace kinglet::cli {
namespace {

std::string agent_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

}  // namespace

int agent_command(const std::vector<std::string>& args) {
  const auto files = make_system_files();
  const ParsedAgent parsed = parse_agent_options(*files, args, agent_environment);
  if (!parsed.run) return parsed.exit_code;
  if (parsed.options.debug) Log::set_level(LogLevel::debug);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;  // the soft limit of a shell is too low for containers
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto lock = DataDirLock::take(parsed.options.data_dir);
  if (!lock) return fail(lock.error().message());
  const auto clock = make_system_clock();
  const auto random = make_system_random();
  const auto ended = run_to_end(run_agent(*files, *clock, *random, parsed.options));
  return ended ? 0 : fail(ended.error().message());
}

}  // namespace kinglet::cli
