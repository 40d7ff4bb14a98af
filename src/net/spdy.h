// SPDY/3.1 framing: what kubectl port-forward multiplexes its connections with. Pure: bytes to
// frames and back.
//
// Only what Kubernetes uses: streams with headers, data, half close, reset, ping, goaway. Flow
// control is left out, as its clients (moby/spdystream) leave it out. Source:
// draft-mbelshe-httpbis-spdy-00, with the changes of SPDY/3.1.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kinglet::net {

constexpr size_t kSpdyFrameBytesMax = 1 << 20;    // clients send 32 KiB
constexpr size_t kSpdyHeaderBytesMax = 64 << 10;  // decompressed

using SpdyHeaders = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct SpdyFrame {
  enum class Kind { syn_stream, syn_reply, data, reset, ping, goaway, other };
  Kind kind = Kind::other;
  uint32_t stream = 0;  // ping: its number
  bool fin = false;     // the sender is done with this stream
  SpdyHeaders headers;  // syn_stream, syn_reply
  std::string data;
};

// One direction each for what comes and what goes: the compression of headers has a memory, so
// frames must be sent in the order in which they were made.
class SpdyCodec {
 public:
  SpdyCodec();
  ~SpdyCodec();
  SpdyCodec(const SpdyCodec&) = delete;
  SpdyCodec& operator=(const SpdyCodec&) = delete;

  // Appends the frames that `bytes` complete. Errors: bad_request, too_large; the session is of no
  // more use.
  Result<void> feed(std::string_view bytes, std::vector<SpdyFrame>& frames);

  std::string syn_stream(uint32_t stream, const SpdyHeaders& headers);
  std::string syn_reply(uint32_t stream, const SpdyHeaders& headers);
  static std::string data(uint32_t stream, std::string_view bytes, bool fin);
  static std::string reset(uint32_t stream,
                           uint32_t status);  // 1 protocol error, 3 refused, 5 cancel
  static std::string ping(uint32_t number);
  static std::string goaway(uint32_t last_stream);

 private:
  Result<SpdyFrame> read_control(std::string_view frame);
  Result<SpdyHeaders> read_headers(std::string_view compressed);
  std::string with_headers(uint16_t type, std::string_view before, const SpdyHeaders& headers);

  struct Zlib;
  std::unique_ptr<Zlib> zlib_;
  std::string rest_;  // the beginning of a frame
};

}  // namespace kinglet::net
