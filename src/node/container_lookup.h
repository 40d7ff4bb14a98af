// The kubelet API's view of this node's containers, over the agent's workers and the runtime.
#pragma once
#include "node/container_access.h"
#include "node/node_agent.h"

namespace kinglet::node {

class ContainerLookup final : public ContainerAccess {
 public:
  // Both outlive it.
  ContainerLookup(const PodParts& parts, const NodeAgent& agent) : parts_(parts), agent_(agent) {}

  Result<ContainerView> find_container(const std::string& ns, const std::string& pod,
                                       const std::string& container) const override;
  Task<Result<std::unique_ptr<runtime::Session>>> exec(std::string id, runtime::ExecOptions options) override;
  Task<Result<std::unique_ptr<runtime::Session>>> attach(std::string id) override;
  Result<std::string> network_namespace(const std::string& ns, const std::string& pod) const override;

 private:
  const PodParts& parts_;
  const NodeAgent& agent_;
};

}  // namespace kinglet::node
