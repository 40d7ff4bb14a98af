#include "base/bytes.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

namespace kinglet {

struct Bytes::Block {
  std::atomic<uint32_t> count;
  uint32_t size;
  char data[];  // NOLINT: the text follows its header in one allocation
};

Bytes::Block* Bytes::allocate(size_t size) {
  void* memory = std::malloc(sizeof(Block) + size);
  if (memory == nullptr) throw std::bad_alloc();
  auto* block = static_cast<Block*>(memory);
  new (&block->count) std::atomic<uint32_t>(1);
  block->size = static_cast<uint32_t>(size);
  return block;
}

Bytes::Bytes(std::string_view copy_of) : block_(allocate(copy_of.size())) {
  std::memcpy(block_->data, copy_of.data(), copy_of.size());
}

Bytes Bytes::concat(std::initializer_list<std::string_view> pieces) {
  size_t size = 0;
  for (const auto piece : pieces) size += piece.size();
  Bytes bytes;
  bytes.block_ = allocate(size);
  char* out = bytes.block_->data;
  for (const auto piece : pieces) {
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  return bytes;
}

std::string_view Bytes::view() const {
  return block_ == nullptr ? std::string_view() : std::string_view(block_->data, block_->size);
}

void Bytes::retain() {
  if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
}

void Bytes::release() {
  if (block_ != nullptr && block_->count.fetch_sub(1, std::memory_order_acq_rel) == 1)
    std::free(block_);
}

}  // namespace kinglet
