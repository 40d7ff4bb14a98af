// Bytes: an immutable, counted piece of memory. Copying one costs an increment; one allocation each.
// May be shared between threads.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace kinglet {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string_view copy_of);
  // One object from several pieces: Bytes::concat({a, b, c}).
  static Bytes concat(std::initializer_list<std::string_view> pieces);
  Bytes(const Bytes& other) : block_(other.block_) { retain(); }
  Bytes(Bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Bytes() { release(); }

  std::string_view view() const;
  size_t size() const { return view().size(); }
  bool empty() const { return block_ == nullptr || size() == 0; }
  explicit operator bool() const { return block_ != nullptr; }
  // The same memory, not merely equal contents.
  bool same(const Bytes& other) const { return block_ == other.block_; }

 private:
  struct Block;
  static Block* allocate(size_t size);
  void retain();
  void release();
  Block* block_ = nullptr;
};

}  // namespace kinglet
