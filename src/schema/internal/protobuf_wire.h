// The wire format of protocol buffers, as much as Kubernetes uses.
#pragma once
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kinglet::schema::wire {

constexpr std::string_view kMagic{"k8s\0", 4};

enum class WireType : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

inline void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
inline void put_tag(std::string& out, int32_t number, WireType type) {
  put_varint(out, static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type));
}
inline void put_integer(std::string& out, int32_t number, int64_t value) {
  put_tag(out, number, WireType::varint);
  put_varint(out, static_cast<uint64_t>(value));
}
inline void put_bytes(std::string& out, int32_t number, std::string_view value) {
  put_tag(out, number, WireType::bytes);
  put_varint(out, value.size());
  out += value;
}
inline void put_double(std::string& out, int32_t number, double value) {
  put_tag(out, number, WireType::fixed64);
  const auto bits = std::bit_cast<uint64_t>(value);
  for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(bits >> shift & 0xff);
}

// One field of a message: a number, or bytes.
struct Item {
  uint32_t number = 0;
  WireType type = WireType::varint;
  uint64_t integer = 0;
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}
  bool at_end() const { return rest_.empty(); }
  std::optional<uint64_t> varint();
  // Nothing when the message is malformed. Groups, which nobody writes, are malformed.
  std::optional<Item> next();

 private:
  std::optional<uint64_t> fixed(size_t size);
  std::string_view rest_;
};

bool is_utf8(std::string_view text);

}  // namespace kinglet::schema::wire
