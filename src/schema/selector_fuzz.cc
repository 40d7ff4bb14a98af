// A selector that parses prints to a text that parses to the same requirements.
#include "schema/field_selector.h"
#include "schema/values.h"

using kinglet::schema::Selector;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)kinglet::schema::parse_field_selector(text);
  const auto first = Selector::parse(text);
  if (!first) return 0;
  const auto second = Selector::parse(first->text());
  KL_ASSERT(second && second->requirements() == first->requirements(),
            "print then parse changed the selector");
  return 0;
}
