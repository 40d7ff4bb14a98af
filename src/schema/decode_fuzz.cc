// Input: a kind's number, then JSON. What decode accepts, encode prints and decode reads again as
// the same; defaults do not change what has them already.
#include "schema/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  if (size < 1) return 0;
  const auto all = schema::resources();
  const schema::Resource& resource = *all[data[0] % all.size()];
  const auto parsed = json::parse({reinterpret_cast<const char*>(data + 1), size - 1});
  if (!parsed) return 0;
  schema::Unknown unknown;
  auto object = schema::decode(*resource.type, *parsed, &unknown);
  if (!object) return 0;
  for (int round = 0; round < 2; ++round) {
    const std::string text = schema::encode(resource, *object);
    const auto again = json::parse(text);
    KL_ASSERT(again, "encode printed no JSON: {}", text);
    const auto decoded = schema::decode(*resource.type, *again);
    KL_ASSERT(decoded, "encode printed what decode refuses: {}",
              decoded ? "" : decoded.error().message());
    KL_ASSERT(schema::encode(resource, *decoded) == text, "not a fixed point: {}", text);
    schema::apply_defaults(resource, *object);
  }
  const std::string filled = schema::encode(resource, *object);
  schema::apply_defaults(resource, *object);
  KL_ASSERT(schema::encode(resource, *object) == filled, "defaults change twice: {}", filled);
  return 0;
}
