// Printing what was parsed and parsing it again changes nothing.
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  std::vector<std::string> duplicates;
  const auto first = json::parse({reinterpret_cast<const char*>(data), size}, &duplicates);
  if (!first) return 0;
  const std::string text = json::print(*first);
  const auto second = json::parse(text);
  KL_ASSERT(second && json::print(*second) == text, "print then parse changed the value");
  const auto pretty = json::parse(json::print_pretty(*first));
  KL_ASSERT(pretty && json::print(*pretty) == text, "pretty print then parse changed the value");
  return 0;
}
