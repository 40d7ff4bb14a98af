#include "node/network/ipam.h"

#include <boost/asio/ip/network_v4.hpp>

namespace kinglet::network {
namespace ip = boost::asio::ip;

namespace {
std::string text_of(uint32_t address) { return ip::address_v4(address).to_string(); }
}  // namespace

Result<Ipam> Ipam::make(const std::string& cidr) {
  boost::system::error_code bad;
  const auto network = ip::make_network_v4(cidr, bad);
  if (bad || network.prefix_length() < 8 || network.prefix_length() > 30)
    return Error(Code::invalid, "pod network \"{}\": an IPv4 network between /8 and /30 is needed",
                 cidr);
  Ipam ipam;
  ipam.prefix_ = network.prefix_length();
  const uint32_t base = network.network().to_uint();
  ipam.gateway_ = text_of(base + 1);
  ipam.first_ = ipam.next_ = base + 2;
  ipam.last_ = network.broadcast().to_uint() - 1;
  return ipam;
}

Result<std::string> Ipam::allocate(const std::string& owner) {
  const auto known = by_owner_.find(owner);
  if (known != by_owner_.end()) return text_of(known->second);
  if (used_.size() > last_ - first_)
    return Error(Code::unavailable, "no free pod address: all {} are in use", used_.size());
  while (used_.contains(next_)) next_ = next_ == last_ ? first_ : next_ + 1;
  const uint32_t address = next_;
  next_ = next_ == last_ ? first_ : next_ + 1;
  used_.insert(address);
  by_owner_[owner] = address;
  return text_of(address);
}

bool Ipam::adopt(const std::string& owner, const std::string& text) {
  boost::system::error_code bad;
  const uint32_t address = ip::make_address_v4(text, bad).to_uint();
  if (bad || address < first_ || address > last_ || by_owner_.contains(owner)) return false;
  if (!used_.insert(address).second) return false;
  by_owner_[owner] = address;
  next_ = std::max(next_, address == last_ ? first_ : address + 1);
  return true;
}

void Ipam::release(const std::string& owner) {
  const auto known = by_owner_.find(owner);
  if (known == by_owner_.end()) return;
  used_.erase(known->second);
  by_owner_.erase(known);
}

std::optional<std::string> Ipam::find(const std::string& owner) const {
  const auto known = by_owner_.find(owner);
  if (known == by_owner_.end()) return std::nullopt;
  return text_of(known->second);
}

std::vector<std::string> Ipam::owners() const {
  std::vector<std::string> out;
  for (const auto& [owner, address] : by_owner_) out.push_back(owner);
  return out;
}

}  // namespace kinglet::network
