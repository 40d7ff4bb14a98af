#include "apiserver/hooks/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace kinglet::apiserver {
namespace {
constexpr std::array<uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kV4PrefixBits = 96;
}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  const std::string owned(text);
  Address out;
  if (owned.find(':') != std::string::npos) {
    if (inet_pton(AF_INET6, owned.c_str(), out.bytes_.data()) != 1) return std::nullopt;
    return out;
  }
  in_addr v4_address{};
  if (inet_pton(AF_INET, owned.c_str(), &v4_address) != 1) return std::nullopt;
  return v4(ntohl(v4_address.s_addr));
}

Address Address::v4(uint32_t host_order) {
  Address out;
  std::memcpy(out.bytes_.data(), kV4Prefix.data(), kV4Prefix.size());
  const uint32_t network = htonl(host_order);
  std::memcpy(out.bytes_.data() + kV4Prefix.size(), &network, sizeof network);
  return out;
}

bool Address::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
}

uint32_t Address::as_v4() const {
  uint32_t network = 0;
  std::memcpy(&network, bytes_.data() + kV4Prefix.size(), sizeof network);
  return ntohl(network);
}

std::string Address::text() const {
  char out[INET6_ADDRSTRLEN];
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes_.data() + (v4 ? kV4Prefix.size() : 0), out, sizeof out);
  return out;
}

std::string Address::special_reason() const {
  const auto in = [&](std::string_view range) { return Cidr::parse(range)->contains(*this); };
  if (in("0.0.0.0/32") || in("::/128")) return fmt::format("may not be unspecified ({})", text());
  if (in("127.0.0.0/8") || in("::1/128"))
    return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
  if (in("169.254.0.0/16") || in("fe80::/10"))
    return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
  if (in("224.0.0.0/24") || in("ff02::/16"))
    return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
  return {};
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto base = Address::parse(text.substr(0, slash));
  const auto digits = text.substr(slash + 1);
  int length = -1;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (!base || read.ec != std::errc() || read.ptr != digits.data() + digits.size() || length < 0)
    return std::nullopt;
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
  if (length > (base->is_v4() ? 32 : 128)) return std::nullopt;
  return Cidr{*base, base->is_v4() ? length + kV4PrefixBits : length};
}

bool Cidr::contains(const Address& address) const {
  for (int bit = 0; bit < bits; bit += 8) {
    const auto i = static_cast<size_t>(bit / 8);
    const int left = bits - bit;
    const auto mask = static_cast<uint8_t>(left >= 8 ? 0xff : 0xff << (8 - left));
    if (((address.bytes()[i] ^ base.bytes()[i]) & mask) != 0) return false;
  }
  return true;
}

}  // namespace kinglet::apiserver
