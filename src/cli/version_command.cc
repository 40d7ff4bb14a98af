#include <cstdio>

#include "cli/commands.h"
#include "cli/version.h"

namespace kinglet::cli {

int fail(const std::string& text) {
  std::fprintf(stderr, "kinglet: %s\n", text.c_str());
  return 1;
}

int version_command(const std::vector<std::string>& args) {
  if (!args.empty() && (args[0] == "--help" || args[0] == "-h")) {
    std::printf("usage: kinglet version\n\nPrints kinglet's version, which begins with that of its Kubernetes API.\n");
    return 0;
  }
  std::printf("kinglet version %s\n", kVersion);
  return 0;
}

}  // namespace kinglet::cli
