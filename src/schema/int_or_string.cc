#include <charconv>

#include "schema/values.h"

namespace kinglet::schema {

Result<int> IntOrString::scaled(int total, bool round_up) const {
  if (!text) return number;
  int64_t percent = 0;
  const char* end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, percent);
  const bool is_percent = read.ec == std::errc() && read.ptr + 1 == end && *read.ptr == '%';
  constexpr int64_t kPercentMax = 1'000'000;  // keeps the product below in 64 bits
  if (!is_percent || percent > kPercentMax || percent < -kPercentMax)
    return Error(Code::invalid,
                 "invalid value for IntOrString: invalid type: string is not a percentage");
  const int64_t product = percent * total;
  int64_t out = product / 100;  // towards zero
  if (round_up && product % 100 > 0) ++out;
  if (!round_up && product % 100 < 0) --out;
  return static_cast<int>(out);
}

}  // namespace kinglet::schema
