// What registries and administrators send: challenges and registries.yaml. Reading what was read
// and written again gives the same; an endpoint never has a URL without a scheme.
#include <cstddef>
#include <cstdint>

#include "node/runtime/registry_auth.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::runtime;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& challenge : parse_challenges(text)) {
    KL_ASSERT(!challenge.scheme.empty());
    std::string again = challenge.scheme;
    for (const auto& [name, value] : challenge.parameters) {
      std::string quoted;
      for (const char c : value) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
      }
      again += fmt::format(" {}=\"{}\",", name, quoted);
    }
    if (again.size() > 4096) continue;  // beyond the limit it would be cut
    const auto read = parse_challenges(again);
    KL_ASSERT(read.size() == 1 && read[0].parameters == challenge.parameters,
              "a challenge changed");
    const auto asked = token_request(challenge, {"u", "p", ""});
    KL_ASSERT(!asked || asked->url.starts_with("http"));
  }
  const auto config = parse_registries(text);
  if (!config) return 0;
  for (const auto& [name, mirror] : config->mirrors)
    for (const auto& endpoint : endpoints_for(*config, name)) {
      KL_ASSERT(endpoint.url.find("://") != std::string::npos && endpoint.url.ends_with("/v2"));
      (void)rewritten(endpoint, "library/busybox");
    }
  return 0;
}
