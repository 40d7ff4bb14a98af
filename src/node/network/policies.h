// Policies: keeps the kernel's rules equal to what the NetworkPolicies ask for.
//
// Costs one silent watch while there is none; pods and namespaces of the whole cluster are watched only while there is one.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/worker.h"
#include "client/informer.h"

namespace kinglet::network {

class Policies {
 public:
  virtual ~Policies() = default;
  // Until cancelled; the rules stay. Does not fail: what cannot be applied is tried again.
  virtual Task<void> run() = 0;
  // A pod of this node got an address, or lost it. Returns when the rules know it, or soon after if they cannot be applied.
  virtual Task<void> settle() = 0;
};

struct PolicyOptions {
  std::string node_name;
  std::vector<std::string> nft_command;  // as in NetworkOptions
  // The address of a pod of this node, by uid; empty: it has none.
  std::function<std::string(const std::string& uid)> address_of;
};
// `informers`: the caller runs them.
std::unique_ptr<Policies> make_policies(PolicyOptions options, client::Informers& informers, Worker& worker, Clock& clock);

}  // namespace kinglet::network
