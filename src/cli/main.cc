// kinglet: one binary, several commands.
#include <malloc.h>

#include <cstdio>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/version.h"
#include "node/network/nft_apply.h"
#include "node/runtime/runtime.h"

namespace {

struct CommandRow {
  const char* name;
  int (*run)(const std::vector<std::string>&);
  const char* help;  // null: not for people
};

constexpr CommandRow kCommands[] = {
    {"server", kinglet::cli::server_command, "run a cluster's control plane and this machine's node"},
    {"agent", kinglet::cli::agent_command, "run this machine as a node of a cluster whose server is elsewhere"},
    {"token", kinglet::cli::token_command, "make, list and delete tokens with which machines join"},
    {"images", kinglet::cli::images_command, "import, list and remove container images of this node"},
    {"check", kinglet::cli::check_command, "say what this machine lacks, and how to mend it"},
    {"killall", kinglet::cli::killall_command, "end all containers and undo network and mounts; data stays"},
    {"version", kinglet::cli::version_command, "print the version"},
    {"unpack-image", kinglet::runtime::unpack_main, nullptr},
    {"fetch-image", kinglet::cli::fetch_image_command, nullptr},
    {"apply-nftables", kinglet::network::nft_apply_main, nullptr},
};

void print_help(FILE* out) {
  std::fprintf(out,
               "kinglet: Kubernetes for small machines\n\nusage: kinglet COMMAND [FLAGS]\n\n");
  for (const auto& row : kCommands)
    if (row.help != nullptr) std::fprintf(out, "  %-10s %s\n", row.name, row.help);
  std::fprintf(out,
               "\n`kinglet COMMAND --help` explains a command. A first cluster:\n\n"
               "  kinglet check\n"
               "  kinglet server\n"
               "  export KUBECONFIG=/etc/kinglet/kinglet.yaml\n"
               "  kubectl get nodes\n");
}

}  // namespace

int main(int argc, char** argv) {
  // One arena: a second thread that only syncs and hashes must not cost a heap of its own.
  mallopt(M_ARENA_MAX, 1);
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty() || args[0] == "help" || args[0] == "--help" || args[0] == "-h") {
    print_help(args.empty() ? stderr : stdout);
    return args.empty() ? 1 : 0;
  }
  const std::string name = args[0] == "--version" || args[0] == "-v" ? "version" : args[0];
  const std::vector<std::string> rest(args.begin() + 1, args.end());
  for (const auto& row : kCommands)
    if (name == row.name) return row.run(rest);
  return kinglet::cli::fail("no command \"" + name + "\"; `kinglet help` lists them");
}
