// What parses prints back to the same text (but for blanks around it), and a whole token has all
// its parts.
#include "cluster/join_token.h"

using namespace kinglet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto token = cluster::parse_join_token(text);
  if (!token) return 0;
  KL_ASSERT(!token->secret.empty());
  KL_ASSERT(token->user.empty() || !token->ca_hash.empty());
  const auto again = cluster::parse_join_token(cluster::format_join_token(*token));
  KL_ASSERT(again && again->secret == token->secret && again->user == token->user);
  KL_ASSERT(text.find(cluster::format_join_token(*token)) != text.npos);
  return 0;
}
