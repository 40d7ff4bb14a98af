// The control plane, put together. Reads like a parts list: what is made of what, in order of need.
#pragma once
#include <memory>

#include "apiserver/registry.h"
#include "base/metrics.h"
#include "base/task_fwd.h"
#include "cli/server_setup.h"
#include "client/node_endpoint.h"

namespace kinglet::cli {

class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  // Until cancelled, or until a part fails for good. `ready` is called once, when /readyz begins to answer ok.
  virtual Task<Result<void>> run(std::function<void()> ready) = 0;
  // The API as the node of this process sees it; valid as long as the control plane.
  virtual client::Api& node_api() = 0;
  // How the API server reaches this process' node; set before run().
  virtual void set_node(const std::string& name, net::Handler* kubelet) = 0;
  // Where pods reach this server from now on: the kubernetes Service's endpoint.
  virtual Task<Result<void>> publish_address(std::string address) = 0;
  // Tells agents where servers are, when that has changed.
  virtual void announce_servers() = 0;
  virtual Metrics& metrics() = 0;
};

// Opens the store and binds the port. Errors: io, unavailable, invalid: in words for the operator.
Result<std::unique_ptr<ControlPlane>> make_control_plane(Files& files, Clock& clock, Random& random,
                                                         const ServerSetup& setup);

// Whether pods can reach the server under this address; a machine without a cable has only its loopback.
bool is_reachable_address(const std::string& address);

}  // namespace kinglet::cli
