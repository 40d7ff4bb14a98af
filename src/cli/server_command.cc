// `kinglet server`: the whole of it in one process, on one loop.
#include <malloc.h>
#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/follow_addresses.h"
#include "cli/internal/run_to_end.h"
#include "cli/options.h"
#include "cli/server_setup.h"
#include "cli/version.h"
#include "cli/wire_node.h"
#include "cli/wire_server.h"

namespace kinglet::cli {
namespace {

std::string environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Watches, containers and connections need descriptors; the soft limit of a shell is too low for them.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Task<Result<void>> wait_for_signal(TaskGroup& everything, const Log& log) {
  boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGTERM, SIGINT);
  const int number = co_await signals.async_wait(boost::asio::use_awaitable);
  log.info("stopping; containers keep running", kv("signal", number));
  everything.cancel();
  co_return Result<void>();
}

// Without a cable the machine has no address that pods could reach; the node's address on the pod network always is one.
Task<void> publish_gateway(ControlPlane& control, NodeSide& node, const Log& log) {
  std::string gateway = co_await node.gateway();
  auto publishing = control.publish_address(std::move(gateway));
  const auto published = co_await std::move(publishing);
  if (!published) log.warn("the API's address for pods is not published", kv("error", published.error()));
}

Task<Result<void>> run_all(Files& files, Clock& clock, Random& random, const ServerSetup& setup) {
  const Log log("kinglet");
  KL_TRY(control, make_control_plane(files, clock, random, setup));
  std::unique_ptr<NodeSide> node;
  TaskGroup everything;
  everything.add("signals", wait_for_signal(everything, log));
  if (!setup.options.disable_agent) {
    const NodeSetup own = node_setup_of(setup);
    KL_TRY(made, make_node_side(files, clock, random, own, control->node_api(), control->metrics()));
    node = std::move(made);
    control->set_node(setup.node_name, node->kubelet());
  }
  const auto ready = [&] {
    const auto written = write_kubeconfigs(files, setup);
    if (!written) log.error("kubeconfig not written", kv("error", written.error()));
    log.info("ready", kv("version", kVersion), kv("port", setup.options.https_listen_port),
             kv("kubeconfig", setup.options.write_kubeconfig));
    if (node) everything.add("node", node->run());
    everything.add("addresses", follow_addresses(*control, node.get(), setup));
    if (node && !is_reachable_address(setup.advertise_address))
      everything.add("address for pods", publish_gateway(*control, *node, log));
    ::malloc_trim(0);  // what starting needed is not needed again
  };
  everything.add("control plane", control->run(ready));
  co_return co_await everything.run();
}

}  // namespace

int server_command(const std::vector<std::string>& args) {
  const auto files = make_system_files();
  const Parsed parsed = parse_server_options(*files, args, environment);
  if (!parsed.run) return parsed.exit_code;
  if (parsed.options.debug) Log::set_level(LogLevel::debug);
  raise_file_limit();
  std::signal(SIGPIPE, SIG_IGN);
  const auto lock = DataDirLock::take(parsed.options.data_dir);
  if (!lock) return fail(lock.error().message());
  const auto clock = make_system_clock();
  const auto random = make_system_random();
  const auto setup = set_up_server(*files, *clock, *random, parsed.options);
  if (!setup) return fail(setup.error().message());
  const auto ended = run_to_end(run_all(*files, *clock, *random, *setup));
  return ended ? 0 : fail(ended.error().message());
}

}  // namespace kinglet::cli
