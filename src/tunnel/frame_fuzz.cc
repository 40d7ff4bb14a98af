// Bytes of a stream. However they are cut into pieces, the same frames come out, and writing those
// gives the same bytes.
#include "tunnel/frame.h"

using namespace kinglet;
using namespace kinglet::tunnel;

namespace {
std::string rewritten(std::string_view bytes, size_t piece) {
  FrameParser parser;
  std::string out;
  while (!bytes.empty()) {
    parser.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      const auto frame = parser.next();
      if (!frame) return out + "!";
      if (!*frame) break;
      append_frame(out, (*frame)->type, (*frame)->bytes);
    }
  }
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = rewritten(bytes, size + 1);
  KL_ASSERT(rewritten(bytes, 3) == whole, "pieces change the frames");
  const auto frames =
      whole.ends_with('!') ? std::string_view(whole).substr(0, whole.size() - 1) : whole;
  KL_ASSERT(bytes.starts_with(frames), "frames do not write as they were read");
  return 0;
}
