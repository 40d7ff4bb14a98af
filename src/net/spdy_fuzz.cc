// SPDY frames of a client. The pieces in which they arrive must not change what is understood.
#include "net/spdy.h"

using namespace kinglet;
using namespace kinglet::net;

namespace {
std::string read(std::string_view bytes, size_t step) {
  SpdyCodec codec;
  std::string all;
  for (size_t at = 0; at < bytes.size(); at += step) {
    std::vector<SpdyFrame> frames;
    const auto fed = codec.feed(bytes.substr(at, step), frames);
    for (const auto& frame : frames) {
      all += fmt::format("{} {} {} {}", static_cast<int>(frame.kind), frame.stream, frame.fin,
                         frame.data);
      for (const auto& [name, value] : frame.headers) all += name + "=" + value + ";";
    }
    if (!fed) break;
  }
  return all;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  KL_ASSERT(read(bytes, bytes.size() + 1) == read(bytes, 1 + data[0] % 64),
            "the pieces change the frames");
  return 0;
}
