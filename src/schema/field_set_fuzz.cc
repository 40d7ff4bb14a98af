// FieldsV1 that was read is written in one spelling, which reads as the same set.
#include "schema/field_set.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto first = schema::FieldSet::parse(*value);
  if (!first) return 0;
  const auto second = schema::FieldSet::parse(first->json());
  KL_ASSERT(second && *second == *first, "print then parse changed the set");
  first->each_path([](const std::string&) {});
  return 0;
}
