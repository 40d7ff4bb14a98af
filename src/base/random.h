// Random: the only source of randomness. `make_system_random` is the kernel's (fit for keys);
// `make_seeded_random` repeats itself and is for tests and simulation only.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace kinglet {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;

  uint64_t next();
  uint64_t below(uint64_t limit);  // uniform in [0, limit); limit > 0
  double unit();                   // uniform in [0, 1)
  std::string uuid();              // RFC 4122 version 4, lower case
  std::string hex(size_t bytes);
  // Kubernetes' generated names: `length` of "bcdfghjklmnpqrstvwxz2456789".
  std::string name_suffix(size_t length = 5);
};

std::unique_ptr<Random> make_system_random();
std::unique_ptr<Random> make_seeded_random(uint64_t seed);

}  // namespace kinglet
