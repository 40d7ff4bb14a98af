// The node networks of the cluster's pod network: who has which. Pure memory; the Node objects are the truth.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::controllers {

class CidrPool {
 public:
  // Errors: invalid (not an IPv4 network, or smaller than one node's).
  static Result<CidrPool> make(const std::string& cluster_cidr, int node_prefix);

  // Others get this network only when no other is free. Not one of ours: ignored.
  void prefer(const std::string& node, const std::string& cidr);
  // What a node has. False: not exactly one of our networks, or another node's.
  bool take(const std::string& node, const std::string& cidr);
  // The node's network; a free one if it has none: what it had before, else the next in turn, so that late packets do not
  // meet a new node. nullopt: none is free.
  std::optional<std::string> allot(const std::string& node);
  void release(const std::string& node);
  size_t size() const { return count_; }

 private:
  std::string text(uint32_t index) const;
  std::optional<uint32_t> index_of(const std::string& cidr) const;
  std::optional<uint32_t> find_free() const;

  uint32_t first_ = 0, count_ = 0, next_ = 0;  // first_: host byte order
  int prefix_ = 0;
  std::map<std::string, uint32_t> by_node_;
  std::map<uint32_t, std::string> owner_;
  std::map<std::string, uint32_t> preferred_;  // what it had before; at most one node per network
  std::map<uint32_t, std::string> preferred_by_;
};

}  // namespace kinglet::controllers
