#include "cli/follow_addresses.h"

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "node/host_facts.h"
#include "tunnel/address_watch.h"

namespace kinglet::cli {
namespace {

Task<Result<void>> apply_addresses(ControlPlane& control, NodeSide* node, const ServerSetup& setup,
                                   Signal& changed) {
  const Log log("kinglet");
  std::string known = setup.options.node_ip.empty() ? setup.node_ip : setup.options.node_ip;
  for (;;) {
    co_await changed.wait();
    control.announce_servers();
    if (!setup.options.node_ip.empty()) continue;
    const std::string now = node::find_node_ip();
    if (now == known || !is_reachable_address(now)) continue;
    log.info("this machine has another address", kv("was", known), kv("is", now));
    known = now;
    if (node) node->announce(now);
    if (!setup.options.advertise_address.empty()) continue;
    std::string address = now;
    auto publishing = control.publish_address(std::move(address));
    const auto published = co_await std::move(publishing);
    if (!published)
      log.warn("the API's new address is not published", kv("error", published.error()));
  }
}

}  // namespace

Task<Result<void>> follow_addresses(ControlPlane& control, NodeSide* node,
                                    const ServerSetup& setup) {
  Signal changed;
  TaskGroup both;
  both.add("address watch", tunnel::watch_addresses([&changed] { changed.notify_all(); }));
  both.add("address changes", apply_addresses(control, node, setup, changed));
  co_return co_await both.run();
}

}  // namespace kinglet::cli
