// This machine's node, put together.
#pragma once
#include <memory>

#include "base/metrics.h"
#include "base/task_fwd.h"
#include "cli/server_setup.h"
#include "client/api.h"
#include "net/http.h"

namespace kinglet::cli {

class NodeSide {
 public:
  virtual ~NodeSide() = default;
  // Until cancelled, which leaves the containers running.
  virtual Task<Result<void>> run() = 0;
  virtual net::Handler* kubelet() = 0;
};

// Errors: not_found (crun or conmon is missing), io: in words for the operator.
Result<std::unique_ptr<NodeSide>> make_node_side(Files& files, Clock& clock, Random& random, const ServerSetup& setup,
                                                 client::Api& api, Metrics& metrics);

}  // namespace kinglet::cli
