// The hidden command that fetches an image: reads a request from stdin, so that no secret is an
// argument.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "base/task.h"
#include "cli/commands.h"
#include "cli/internal/run_to_end.h"
#include "node/runtime/image_fetch.h"

namespace kinglet::cli {
namespace {

constexpr size_t kRequestBytesMax = 1 << 20;

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

Result<std::string> read_stdin() {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "stdin");
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > kRequestBytesMax) return Error(Code::too_large, "the request is too large");
  }
}

Result<runtime::Fetched> fetch() {
  KL_TRY_FN(text, read_stdin());
  KL_TRY_FN(request, runtime::parse_fetch(text));
  const auto clock = make_system_clock();
  auto proxies = net::proxies_of_environment(environment);
  auto fetching = runtime::fetch_image(*clock, std::move(request), std::move(proxies));
  return run_to_end(std::move(fetching));
}

}  // namespace

int fetch_image_command(const std::vector<std::string>&) {
  const auto fetched = fetch();
  if (!fetched) {
    std::fprintf(stderr, "%s\t%s\n", reason_of(fetched.error().code()),
                 fetched.error().message().c_str());
    return 1;
  }
  std::fputs(runtime::print_fetched(*fetched).c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace kinglet::cli
