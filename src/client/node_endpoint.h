// How the API server reaches a node's kubelet API (logs, exec, port-forward, proxy): it hands over the whole exchange.
// In one process that is a call; for other nodes the tunnel carries it.
#pragma once
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"

namespace kinglet::client {

class NodeEndpoints {
 public:
  virtual ~NodeEndpoints() = default;
  // The handler of that node's kubelet API, or null when the node is not connected. Paths are the kubelet's:
  // /containerLogs/<ns>/<pod>/<container>, /exec/..., /attach/..., /portForward/<ns>/<pod>, /healthz, /metrics...
  // The caller has authorised the request and rewritten request().path, target and query.
  virtual net::Handler* find(const std::string& node_name) = 0;
};

}  // namespace kinglet::client
