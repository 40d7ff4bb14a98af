// Boxed<T>: an optional T kept on the heap, one pointer large.
//
// Used as std::optional is. A Container has three optional probes and a Volume thirty optional
// sources, of which hardly any are set: inline they would make every pod in a cache ten times as
// large.
#pragma once
#include <optional>
#include <utility>

namespace kinglet::schema {

template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(std::nullopt_t) {}                             // NOLINT: implicit
  Boxed(T value) : value_(new T(std::move(value))) {}  // NOLINT: implicit
  Boxed(const Boxed& other) : value_(other.value_ ? new T(*other.value_) : nullptr) {}
  Boxed(Boxed&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Boxed& operator=(Boxed other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Boxed() { delete value_; }

  T& emplace() { return emplace(T()); }
  T& emplace(T value) {
    *this = Boxed(std::move(value));
    return *value_;
  }
  void reset() { *this = Boxed(); }
  bool has_value() const { return value_ != nullptr; }
  explicit operator bool() const { return value_ != nullptr; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_; }
  const T* operator->() const { return value_; }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T value_or(T otherwise) const { return value_ ? *value_ : std::move(otherwise); }
  bool operator==(const Boxed& other) const {
    return value_ && other.value_ ? *value_ == *other.value_ : value_ == other.value_;
  }

 private:
  // Not a unique_ptr: two hundred instantiations of it in one header cost a second of every
  // compilation.
  T* value_ = nullptr;
};

}  // namespace kinglet::schema
