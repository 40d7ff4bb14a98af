#include "schema/internal/protobuf_wire.h"

namespace kinglet::schema::wire {

std::optional<uint64_t> Reader::varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return {};
}

std::optional<uint64_t> Reader::fixed(size_t size) {
  if (rest_.size() < size) return {};
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i)
    value |= static_cast<uint64_t>(static_cast<uint8_t>(rest_[i])) << (8 * i);
  rest_.remove_prefix(size);
  return value;
}

std::optional<Item> Reader::next() {
  const auto tag = varint();
  if (!tag || *tag >> 3 == 0 || *tag >> 3 > 0x1fffffff) return {};
  Item item;
  item.number = static_cast<uint32_t>(*tag >> 3);
  item.type = static_cast<WireType>(*tag & 7);
  std::optional<uint64_t> value;
  switch (item.type) {
    case WireType::varint:
      value = varint();
      break;
    case WireType::fixed64:
      value = fixed(8);
      break;
    case WireType::fixed32:
      value = fixed(4);
      break;
    case WireType::bytes: {
      value = varint();
      if (!value || *value > rest_.size()) return {};
      item.bytes = rest_.substr(0, static_cast<size_t>(*value));
      rest_.remove_prefix(item.bytes.size());
      break;
    }
  }
  if (!value) return {};
  item.integer = *value;
  return item;
}

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<uint8_t>(text[i]);
    const size_t size = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
    if (size == 0 || i + size > text.size()) return false;
    uint32_t code = size == 1 ? lead : lead & (0xff >> (size + 1));
    for (size_t j = 1; j < size; ++j) {
      const auto next = static_cast<uint8_t>(text[i + j]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (surrogate || code > 0x10ffff || (size == 3 && code < 0x800) ||
        (size == 4 && code < 0x10000))
      return false;
    i += size;
  }
  return true;
}

}  // namespace kinglet::schema::wire
