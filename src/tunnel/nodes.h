// The server's side of all tunnels: which nodes are connected, requests to them, and whether they
// are alive.
//
// A node's tunnel is one HTTP/2 connection with a control stream; newest wins, the older one is
// closed. For each request to the node the server asks on the control stream for one more stream
// and carries the request over that. A node is lost when its tunnel has been silent for too long
// (failure_detector.h); one that said goodbye gets time for a restart.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/signal.h"
#include "client/node_endpoint.h"
#include "client/node_liveness.h"
#include "net/http.h"

namespace kinglet::tunnel {

struct NodesOptions {
  // Where agents reach this cluster's servers ("https://10.0.0.1:6443"); asked whenever an agent is
  // told.
  std::function<std::vector<std::string>()> servers = [] { return std::vector<std::string>(); };
  // How long a node that said goodbye counts as alive.
  Duration goodbye_grace = std::chrono::seconds(10);
};

class Nodes final : public client::NodeEndpoints, public client::NodeLiveness {
 public:
  Nodes(Clock& clock, Metrics& metrics, NodesOptions options);
  ~Nodes() override;

  // The node that lives in this process.
  void set_local(std::string name, net::Handler* handler);

  // Null when the node is not connected. The handler lives as long as this object.
  net::Handler* find(const std::string& node) override;

  State state(const std::string& node) const override;
  void on_change(std::function<void(const std::string& node)> changed) override;

  // Serves a node's control stream, or a stream that was asked for. The caller has made sure that
  // the peer is that node.
  Task<void> serve_control(net::Exchange& exchange, std::string node);
  Task<void> serve_stream(net::Exchange& exchange, std::string node, uint64_t number);

  // Tells every connected node the servers' addresses again.
  void announce_servers();
  // Watches over silent nodes until cancelled.
  Task<void> run();

  size_t connected() const;

 private:
  class Node;
  struct Session;
  Node& node(const std::string& name);
  void changed(const std::string& name);
  std::string welcome() const;

  Clock& clock_;
  NodesOptions options_;
  std::map<std::string, std::unique_ptr<Node>>
      nodes_;  // every node that ever connected to this process
  std::string local_name_;
  net::Handler* local_ = nullptr;
  std::vector<std::function<void(const std::string&)>> listeners_;
  Signal somebody_;  // there is a node to watch
  Gauge& connected_metric_;
  Counter& lost_metric_;
};

}  // namespace kinglet::tunnel
