// Whatever is read from protobuf can be written and read again as the same object.
#include "schema/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  std::string input("k8s\0", 4);
  input.append(reinterpret_cast<const char*>(data), size);
  const auto first = schema::from_protobuf(input);
  if (!first) return 0;
  const std::string bytes = schema::to_protobuf(*first);
  const auto second = schema::from_protobuf(bytes);
  KL_ASSERT(second, "what was written cannot be read: {}", second ? "" : second.error().message());
  KL_ASSERT(json::print(*first) == json::print(*second), "{}\n{}", json::print(*first),
            json::print(*second));
  return 0;
}
