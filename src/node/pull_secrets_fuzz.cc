// A Docker configuration from a Secret: what is read has a place and a credential, and covers its
// own place.
#include <cstddef>
#include <cstdint>

#include "node/pull_secrets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::node;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool legacy : {false, true}) {
    const auto secrets = parse_docker_config(text, legacy);
    if (!secrets) continue;
    for (const auto& secret : *secrets) {
      KL_ASSERT(!secret.place.empty() && !secret.credential.empty());
      KL_ASSERT(covers(secret.place, secret.place), "a place does not cover itself");
    }
  }
  return 0;
}
