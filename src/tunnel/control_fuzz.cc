// A welcome holds a bounded number of plain URLs, and reads the same after it was written again.
#include "tunnel/control.h"

using namespace kinglet;
using namespace kinglet::tunnel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto welcome = decode_welcome(text);
  if (!welcome) return 0;
  KL_ASSERT(welcome->servers.size() <= kServersMax, "too many servers");
  for (const auto& url : welcome->servers) KL_ASSERT(is_server_url(url), "not an address: {}", url);
  const auto again = decode_welcome(encode_welcome(*welcome));
  KL_ASSERT(again && again->servers == welcome->servers, "a welcome changes when it is written");
  return 0;
}
