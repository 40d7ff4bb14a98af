// What the kubelet API (logs, exec, attach, port-forward) needs to know of this node's containers,
// and may do to them.
//
// The node agent implements it over its workers and the runtime. Loop only.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task_fwd.h"
#include "node/runtime/runtime.h"

namespace kinglet::node {

struct ContainerView {
  enum class State { waiting, running, exited };
  State state = State::waiting;
  std::string id;              // the runtime's; empty while it has none
  std::string waiting_reason;  // "ContainerCreating", "PodInitializing", "CrashLoopBackOff"...
  // The newest log (CRI format); rotation renames it and a new file takes its name. Empty: none
  // yet.
  std::string log_path;
  std::string previous_log_path;  // of the attempt before that one; empty: there is none
  // What the container's spec says about attaching.
  bool tty = false;
  bool stdin_open = false;
};

class ContainerAccess {
 public:
  virtual ~ContainerAccess() = default;
  // Init and ephemeral containers too. Errors: not_found, for the pod or the container, in
  // kubectl's words.
  virtual Result<ContainerView> find_container(const std::string& ns, const std::string& pod,
                                               const std::string& container) const = 0;
  // Errors: as in runtime::Runtime.
  virtual Task<Result<std::unique_ptr<runtime::Session>>> exec(std::string id,
                                                               runtime::ExecOptions options) = 0;
  virtual Task<Result<std::unique_ptr<runtime::Session>>> attach(std::string id) = 0;
  // The path of the pod's network namespace ("" for the host's). Errors: not_found (no such pod, or
  // it has no sandbox).
  virtual Result<std::string> network_namespace(const std::string& ns,
                                                const std::string& pod) const = 0;
};

}  // namespace kinglet::node
