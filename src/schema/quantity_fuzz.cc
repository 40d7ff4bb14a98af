// A quantity that parses prints to a text of the same value, adding nothing changes nothing, and
// what was added can be taken away.
#include "schema/values.h"

using kinglet::schema::Quantity;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t half = text.find(' ');
  const auto a = Quantity::parse(text.substr(0, half));
  if (!a) return 0;
  const auto again = Quantity::parse(a->text());
  KL_ASSERT(again && again->compare(*a) == 0, "printing changed the value");
  KL_ASSERT(Quantity::parse(again->text())->text() == Quantity::parse(again->text())->text(),
            "unstable");
  KL_ASSERT(a->plus(Quantity()).compare(*a) == 0, "adding zero");
  if (half == std::string_view::npos) return 0;
  const auto b = Quantity::parse(text.substr(half + 1));
  if (!b) return 0;
  KL_ASSERT(a->compare(*b) == -b->compare(*a), "comparison is not symmetric");
  KL_ASSERT(a->plus(*b).compare(b->plus(*a)) == 0, "addition is not symmetric");
  KL_ASSERT(a->minus(*b).compare(b->minus(*a)) == -b->minus(*a).compare(a->minus(*b)),
            "difference");
  return 0;
}
