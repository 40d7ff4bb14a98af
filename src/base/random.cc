#include "base/random.h"

#include <sys/random.h>

#include <random>

#include "base/result.h"

namespace kinglet {
namespace {
class SystemRandom final : public Random {
 public:
  void fill(std::span<uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t n = ::getrandom(out.data(), out.size(), 0);
      KL_ASSERT(n > 0 || errno == EINTR, "getrandom failed");
      if (n > 0) out = out.subspan(static_cast<size_t>(n));
    }
  }
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (auto& byte : out) byte = static_cast<uint8_t>(engine_() >> 24);
  }

 private:
  std::mt19937_64 engine_;
};
}  // namespace

uint64_t Random::next() {
  uint8_t raw[8];
  fill(raw);
  uint64_t value = 0;
  for (const uint8_t byte : raw) value = value << 8 | byte;
  return value;
}

uint64_t Random::below(uint64_t limit) {
  KL_ASSERT(limit > 0);
  // Values beyond the last whole multiple of `limit` would favour small results: draw again.
  const uint64_t whole = UINT64_MAX - UINT64_MAX % limit;
  uint64_t value = next();
  while (value >= whole) value = next();
  return value % limit;
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::string Random::hex(size_t bytes) {
  std::vector<uint8_t> raw(bytes);
  fill(raw);
  std::string text;
  for (const uint8_t byte : raw) text += fmt::format("{:02x}", byte);
  return text;
}

std::string Random::uuid() {
  uint8_t b[16];
  fill(b);
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  std::string text;
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", b[i]);
  }
  return text;
}

std::string Random::name_suffix(size_t length) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (size_t i = 0; i < length; ++i) text += kAlphabet[below(kAlphabet.size())];
  return text;
}

std::unique_ptr<Random> make_system_random() { return std::make_unique<SystemRandom>(); }
std::unique_ptr<Random> make_seeded_random(uint64_t seed) {
  return std::make_unique<SeededRandom>(seed);
}
}  // namespace kinglet
