// Heads of requests and answers: what is accepted reads the same after it was written again.
#include "tunnel/exchange_head.h"

using namespace kinglet;
using namespace kinglet::tunnel;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = decode_request(text)) {
    if (const auto written = encode_request(*request)) {
      const auto again = decode_request(*written);
      KL_ASSERT(again && again->target == request->target &&
                    again->headers.rows() == request->headers.rows(),
                "the request changes when it is written");
    }
  }
  if (const auto answer = decode_answer(text)) {
    if (const auto written = encode_answer(*answer)) {
      const auto again = decode_answer(*written);
      KL_ASSERT(again && again->status == answer->status &&
                    again->headers.rows() == answer->headers.rows(),
                "the answer changes when it is written");
    }
  }
  return 0;
}
