// Request targets and URLs. A path that is accepted is absolute and holds no NUL; what is taken
// apart can be named again.
#include "net/http.h"
#include "net/internal/dial.h"

using namespace kinglet;
using namespace kinglet::net;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  Request request;
  request.target = text;
  if (split_target(request)) {
    KL_ASSERT(request.path == "*" || request.path.starts_with('/'), "a relative path");
    KL_ASSERT(request.path.find('\0') == std::string::npos, "a NUL in the path");
  }
  if (const auto url = parse_url(text)) {
    KL_ASSERT(!url->host.empty() && url->target.starts_with('/'), "a URL without host or path");
    const auto again =
        parse_url((url->tls ? "https://" : "http://") + host_header(*url) + url->target);
    KL_ASSERT(again && again->host == url->host && again->port == url->port &&
                  again->target == url->target,
              "the URL changes when it is written down");
  }
  return 0;
}
