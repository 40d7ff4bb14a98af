// Whatever the headers say: no token that is empty, over-long or unprintable comes out, and who
// impersonates has a name.
#include "apiserver/auth/bearer.h"

using namespace kinglet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  net::Request request;
  request.method = "GET";
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    const auto colon = line.find(':');
    if (colon != line.npos)
      request.headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 1)));
  }
  const auto token = apiserver::bearer_token(request);
  if (token && *token) {
    KL_ASSERT(!(*token)->empty() && (*token)->size() <= apiserver::kTokenBytesMax);
    for (const char c : **token) KL_ASSERT(c > 0x20 && c < 0x7f);
  }
  const auto as = apiserver::impersonation(request);
  if (as && *as) KL_ASSERT(!(*as)->user.empty());
  const auto bootstrap = apiserver::parse_bootstrap_token(text);
  if (bootstrap) KL_ASSERT(bootstrap->id + "." + bootstrap->secret == text);
  KL_ASSERT(text.ends_with(apiserver::join_secret(text)));
  return 0;
}
