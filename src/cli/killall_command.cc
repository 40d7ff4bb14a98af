// `kinglet killall`: ends every container of a data directory and takes the network away. Data
// stays: the next `kinglet server` brings the pods back.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/task.h"
#include "base/task_group.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/options.h"
#include "node/network/network.h"
#include "node/runtime/runtime.h"
#include "node/volumes/mount_points.h"

namespace kinglet::cli {
namespace {

Task<Result<void>> remove_all(runtime::Runtime& runtime, TaskGroup& group, int& count) {
  const auto sandboxes = runtime.sandboxes();
  for (const auto& sandbox : sandboxes) {
    KL_CHECK(co_await runtime.remove_sandbox(sandbox.id), "pod {}/{}", sandbox.config.pod_namespace,
             sandbox.config.pod_name);
    ++count;
  }
  group.cancel();
  co_return Result<void>();
}

Task<Result<int>> end_containers(runtime::Runtime& runtime) {
  KL_CHECK(co_await runtime.recover(), "look at what runs");
  int count = 0;
  TaskGroup group;
  group.add("runtime", runtime.run());
  group.add("removal", remove_all(runtime, group, count));
  KL_CHECK(co_await group.run());
  co_return count;
}

}  // namespace

int killall_command(const std::vector<std::string>& args) {
  CLI::App app(
      "Ends all containers of this node and undoes its network. Images, volumes and the cluster's "
      "objects stay.",
      "kinglet killall");
  std::string data_dir = kDefaultDataDir;
  app.add_option("-d,--data-dir", data_dir, "the server's data directory")->capture_default_str();
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  const auto lock = DataDirLock::take(data_dir);
  if (!lock) return fail(lock.error().message());
  const auto clock = make_system_clock();
  const auto random = make_system_random();
  runtime::RuntimeOptions options;
  options.data_dir = data_dir + "/agent";
  auto runtime = runtime::make_builtin_runtime(options, *clock, *random);
  if (!runtime) return fail(runtime.error().message());
  const auto ended = run_to_end(end_containers(**runtime));
  if (!ended) return fail(ended.error().message());
  const auto unmounted = node::unmount_below(options.data_dir + "/pods");
  if (!unmounted) return fail(unmounted.error().message());
  const auto removed = network::remove_network({});
  if (!removed) return fail(removed.error().message());
  std::printf("ended %d pod%s\n", *ended, *ended == 1 ? "" : "s");
  return 0;
}

}  // namespace kinglet::cli
