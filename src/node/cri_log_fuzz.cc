// A log file is foreign bytes: a container may write anything, a power cut may tear it.
#include "node/cri_log.h"

using namespace kinglet;
using namespace kinglet::node;

// The pieces in which a file is read must not change what the client gets, and the byte limit
// holds.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  LogOptions options;
  options.timestamps = data[0] & 1;
  if (data[0] & 2) options.limit_bytes = 1 + data[1];
  const std::string_view log(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string whole, pieces;
  LogFilter first(options), second(options);
  first.feed(log, whole);
  const size_t step = 1 + data[1] % 16;
  for (size_t at = 0; at < log.size(); at += step)
    if (!second.feed(log.substr(at, step), pieces)) break;
  KL_ASSERT(whole == pieces, "pieces change the log");
  KL_ASSERT(!options.limit_bytes || whole.size() <= static_cast<size_t>(*options.limit_bytes),
            "limit");
  return 0;
}
