// What a container answers to a gRPC probe: what is understood is one of the four states, and an
// answer that is lengthened by bytes after its message means the same.
#include <cstddef>
#include <cstdint>

#include "node/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::node;
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto status = parse_health_answer(body);
  if (!status) return 0;
  const auto again = parse_health_answer(body + "more");
  KL_ASSERT(again && *again == *status && text_of(*status) != nullptr);
  return 0;
}
