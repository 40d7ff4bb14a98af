// Ipam: the pod addresses of this node. Pure memory: what is in use is read from the pods' namespaces after a restart.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::network {

class Ipam {
 public:
  // `cidr`: "10.42.0.0/24", between /8 and /30. The first address is the gateway's; network and broadcast are not used.
  static Result<Ipam> make(const std::string& cidr);
  const std::string& gateway() const { return gateway_; }
  int prefix() const { return prefix_; }

  // The owner's address, a new one if it has none. Addresses go round: one that was freed is not used again soon,
  // so that late packets and caches do not meet a new pod. Errors: unavailable (none is free).
  Result<std::string> allocate(const std::string& owner);
  // An address found in use. False: not of this network, or somebody else's.
  bool adopt(const std::string& owner, const std::string& ip);
  void release(const std::string& owner);
  std::optional<std::string> find(const std::string& owner) const;
  std::vector<std::string> owners() const;

 private:
  uint32_t first_ = 0, last_ = 0, next_ = 0;  // host byte order
  int prefix_ = 0;
  std::string gateway_;
  std::map<std::string, uint32_t> by_owner_;
  std::set<uint32_t> used_;
};

}  // namespace kinglet::network
