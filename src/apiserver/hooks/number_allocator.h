// Which cluster IPs and node ports are taken. Numbers are given out in turn from the upper part of
// the range, so that those which people write into manifests, from the lower part, are seldom taken
// (upstream's static and dynamic bands), and a number just given back is not given out at once.
#pragma once
#include <cstdint>
#include <optional>
#include <set>

namespace kinglet::apiserver {

class NumberAllocator {
 public:
  // Numbers first..last, of which those up to first + reserved are given out last.
  NumberAllocator(uint32_t first, uint32_t last, uint32_t reserved);
  bool in_range(uint32_t number) const { return number >= first_ && number <= last_; }
  bool take(uint32_t number);           // false: already taken
  std::optional<uint32_t> take_next();  // nullopt: all are taken
  void release(uint32_t number) { taken_.erase(number); }
  bool taken(uint32_t number) const { return taken_.contains(number); }
  void clear() { taken_.clear(); }

 private:
  uint32_t first_, last_, dynamic_, next_;
  std::set<uint32_t> taken_;
};

}  // namespace kinglet::apiserver
