// The controllers: what makes the world follow the objects. One call builds them all.
//
// They read through shared informers and write through an Api; they know nothing of servers, sockets or time but the
// Clock. The caller runs `informers` (after this call, so that it holds what they asked for) and the controllers.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "client/api.h"

namespace kinglet::client {
class Informers;
class NodeLiveness;
}

namespace kinglet::controllers {

// Removes the directory of a local-path volume on a node. Errors: unavailable (the node is away), io.
using RemoveDirectory = std::function<Task<Result<void>>(std::string node, std::string path)>;

struct Options {
  std::string root_ca;  // PEM, published in every namespace as ConfigMap kube-root-ca.crt; empty: not published
  Duration node_grace = std::chrono::seconds(40);          // without a sign of life before a node is Unknown
  Duration node_startup_grace = std::chrono::seconds(60);  // the same before its first sign
  // Knows more about some nodes than their leases tell, and sooner; outlives the controllers. Null: nobody does.
  client::NodeLiveness* liveness = nullptr;
  std::string cluster_cidr;  // of all pods; nodes get their parts of it. Empty: they do not
  std::string own_node, own_node_cidr;  // the part that is kept for the server's own node; empty: none
  // The file of a time zone ("Europe/Berlin"), for CronJobs; without it only UTC is known.
  std::function<Result<std::string>(const std::string& name)> read_time_zone;
  std::string storage_dir = "/var/lib/kinglet/storage";  // where local-path volumes are, on each node
  bool local_path_class = false;                          // make the StorageClass local-path, the default one
  RemoveDirectory remove_directory;                       // none: volumes that were given up stay, marked Released
  size_t terminated_pods_max = 12'500;                     // beyond it the oldest are removed
};

class Controllers {
 public:
  virtual ~Controllers() = default;
  virtual Task<Result<void>> run() = 0;  // until cancelled
  // Nothing to do before something changes or time passes.
  virtual bool idle() const = 0;
};
// All references outlive the result.
std::unique_ptr<Controllers> make_controllers(client::Api& api, Clock& clock, Random& random, Metrics& metrics,
                                              client::Informers& informers, Options options = {});

}  // namespace kinglet::controllers
