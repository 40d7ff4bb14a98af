#include "apiserver/hooks/number_allocator.h"

#include <algorithm>

namespace kinglet::apiserver {

NumberAllocator::NumberAllocator(uint32_t first, uint32_t last, uint32_t reserved)
    : first_(first), last_(last), dynamic_(std::min(last, first + reserved)), next_(dynamic_) {}

bool NumberAllocator::take(uint32_t number) { return taken_.insert(number).second; }

std::optional<uint32_t> NumberAllocator::take_next() {
  const auto scan = [&](uint32_t from, uint32_t to) -> std::optional<uint32_t> {
    // Walks the taken numbers beside the candidates: linear in what is taken, not in the range.
    auto it = taken_.lower_bound(from);
    uint64_t candidate = from;
    for (; it != taken_.end() && *it == candidate && candidate <= to; ++it) ++candidate;
    if (candidate > to) return std::nullopt;
    return static_cast<uint32_t>(candidate);
  };
  auto found = scan(next_, last_);
  if (!found) found = scan(dynamic_, last_);
  if (!found) found = scan(first_, last_);
  if (!found) return std::nullopt;
  taken_.insert(*found);
  next_ = *found >= last_ ? dynamic_ : *found + 1;
  return found;
}

}  // namespace kinglet::apiserver
