// Request and response bytes of HTTP/1.1. The pieces in which they arrive must not change what is
// understood.
#include "net/internal/http1_parser.h"

using namespace kinglet;
using namespace kinglet::net;

namespace {
struct Outcome {
  bool failed = false;
  size_t messages = 0;
  std::string all;
};

Outcome parse(std::string_view bytes, size_t step, Http1Parser::Kind kind) {
  Outcome out;
  Http1Parser parser(kind, 4096);
  size_t at = 0;
  while (at < bytes.size()) {
    const auto used = parser.feed(bytes.substr(at, step));
    if (!used) {
      out.failed = true;
      return out;
    }
    KL_ASSERT(*used > 0, "no progress");
    at += *used;
    if (!parser.message_done()) continue;
    out.all += parser.method() + " " + parser.target() + "\n";
    for (const auto& [name, value] : parser.headers().rows()) out.all += name + ":" + value + "\n";
    out.all += parser.body();
    if (++out.messages > 100) break;
    parser.next();
  }
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto kind = data[0] & 1 ? Http1Parser::Kind::request : Http1Parser::Kind::response;
  const Outcome whole = parse(bytes, bytes.size() + 1, kind);
  const Outcome pieces = parse(bytes, 1 + data[0] / 8, kind);
  if (!whole.failed && !pieces.failed)
    KL_ASSERT(whole.all == pieces.all, "the pieces change the message");
  return 0;
}
