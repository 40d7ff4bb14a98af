#include "controllers/internal/cidr_pool.h"

#include <boost/asio/ip/network_v4.hpp>

namespace kinglet::controllers {
namespace ip = boost::asio::ip;

Result<CidrPool> CidrPool::make(const std::string& cluster_cidr, int node_prefix) {
  boost::system::error_code bad;
  const auto network = ip::make_network_v4(cluster_cidr, bad);
  if (bad || network.canonical() != network)
    return Error(Code::invalid, "\"{}\" is not an IPv4 network", cluster_cidr);
  if (network.prefix_length() > node_prefix || network.prefix_length() < 8)
    return Error(Code::invalid, "{} cannot be divided into networks of /{}", cluster_cidr,
                 node_prefix);
  CidrPool pool;
  pool.first_ = network.network().to_uint();
  pool.count_ = 1u << (node_prefix - network.prefix_length());
  pool.prefix_ = node_prefix;
  return pool;
}

std::string CidrPool::text(uint32_t index) const {
  return fmt::format("{}/{}", ip::address_v4(first_ + (index << (32 - prefix_))).to_string(),
                     prefix_);
}

std::optional<uint32_t> CidrPool::index_of(const std::string& cidr) const {
  boost::system::error_code bad;
  const auto network = ip::make_network_v4(cidr, bad);
  if (bad || network.prefix_length() != prefix_ || network.canonical() != network)
    return std::nullopt;
  const uint32_t address = network.network().to_uint();
  if (address < first_) return std::nullopt;
  const uint32_t index = (address - first_) >> (32 - prefix_);
  return index < count_ ? std::optional(index) : std::nullopt;
}

void CidrPool::prefer(const std::string& node, const std::string& cidr) {
  const auto index = index_of(cidr);
  if (!index) return;
  if (const auto other = preferred_by_.find(*index); other != preferred_by_.end())
    preferred_.erase(other->second);
  if (const auto before = preferred_.find(node); before != preferred_.end())
    preferred_by_.erase(before->second);
  preferred_[node] = *index;
  preferred_by_[*index] = node;
}

bool CidrPool::take(const std::string& node, const std::string& cidr) {
  const auto index = index_of(cidr);
  if (!index) return false;
  const auto [slot, fresh] = owner_.try_emplace(*index, node);
  if (!fresh) return slot->second == node;
  if (const auto had = by_node_.find(node); had != by_node_.end()) owner_.erase(had->second);
  by_node_[node] = *index;
  next_ = (*index + 1) % count_;
  prefer(node, cidr);
  return true;
}

std::optional<uint32_t> CidrPool::find_free() const {
  std::optional<uint32_t> promised;
  for (uint32_t step = 0; step < count_; ++step) {
    const uint32_t index = (next_ + step) % count_;
    if (owner_.contains(index)) continue;
    if (!preferred_by_.contains(index)) return index;
    if (!promised) promised = index;
  }
  return promised;
}

std::optional<std::string> CidrPool::allot(const std::string& node) {
  if (const auto has = by_node_.find(node); has != by_node_.end()) return text(has->second);
  const auto before = preferred_.find(node);
  std::optional<uint32_t> index;
  if (before != preferred_.end() && !owner_.contains(before->second))
    index = before->second;
  else
    index = find_free();
  if (!index) return std::nullopt;
  const std::string cidr = text(*index);
  take(node, cidr);
  return cidr;
}

void CidrPool::release(const std::string& node) {
  const auto has = by_node_.find(node);
  if (has == by_node_.end()) return;
  owner_.erase(has->second);
  by_node_.erase(has);
}

}  // namespace kinglet::controllers
