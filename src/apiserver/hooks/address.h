// IP addresses and ranges as validation and the cluster IP allocator see them: 16 bytes, IPv4
// mapped into IPv6.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kinglet::apiserver {

class Address {
 public:
  // Strict: no leading zeros, no zone.
  static std::optional<Address> parse(std::string_view text);
  static Address v4(uint32_t host_order);
  bool is_v4() const;
  uint32_t as_v4() const;  // host order
  std::string text() const;
  // Why an endpoint may not have this address; empty when it may.
  std::string special_reason() const;
  auto operator<=>(const Address&) const = default;
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }

 private:
  std::array<uint8_t, 16> bytes_{};
};

struct Cidr {
  static std::optional<Cidr> parse(std::string_view text);
  bool contains(const Address& address) const;
  bool contains(const Cidr& other) const { return other.bits >= bits && contains(other.base); }
  bool is_v4() const { return base.is_v4(); }
  Address base;  // as written; host bits may be set
  int bits = 0;  // of 128; IPv4: 96 + the written length
};

}  // namespace kinglet::apiserver
