// YAML that was read can be printed as YAML and read again as the same value.
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  const auto first = json::parse_yaml({reinterpret_cast<const char*>(data), size});
  if (!first) return 0;
  const std::string text = json::print(*first);
  // Quoted YAML may hold bytes that are no UTF-8, which JSON text cannot.
  if (!json::parse(text)) return 0;
  const std::string yaml = json::print_yaml(*first);
  const auto second = json::parse_yaml(yaml);
  KL_ASSERT(second, "printed YAML is not readable: {}\n{}", second ? "" : second.error().message(),
            yaml);
  KL_ASSERT(*second == *first, "print_yaml changed the value: {} -> {}", text,
            json::print(*second));
  return 0;
}
