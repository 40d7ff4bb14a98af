// What the two ends of an HTTP/2 connection do alike between nghttp2 and the transport.
#pragma once
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <string_view>

#include "net/internal/transport.h"

namespace kinglet::net {

// A DATA frame with its head fills one TLS record, and four of them one write to the kernel.
constexpr size_t kFrameHeadBytes = 9;
constexpr size_t kDataBytesMax = (16 << 10) - kFrameHeadBytes;
// What one stream may have on its way, and so in our memory, before somebody reads it.
constexpr uint32_t kStreamWindowBytes = 256 << 10;
constexpr size_t kOutboundAcksMax = 100;

inline std::string_view text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// nghttp2's send callback. `out_of_room`: call again after flush().
inline ssize_t put_bytes(Transport& transport, const uint8_t* bytes, size_t size,
                         bool& out_of_room) {
  const size_t taken = transport.put(text(bytes, size));
  out_of_room = taken < size;
  return taken > 0 ? static_cast<ssize_t>(taken) : ssize_t{NGHTTP2_ERR_WOULDBLOCK};
}

// The beginning of its send-data callback: false (and out_of_room) if the whole frame has no room.
inline bool put_frame_head(Transport& transport, const uint8_t* head, size_t length,
                           bool& out_of_room) {
  const bool fits = transport.room() >= kFrameHeadBytes + length;
  if (fits)
    transport.put(text(head, kFrameHeadBytes));
  else
    out_of_room = true;
  return fits;
}

// Its data-source-read-length callback: as much as the peer's windows let one frame carry.
inline ssize_t data_length(nghttp2_session*, uint8_t, int32_t, int32_t connection_window,
                           int32_t stream_window, uint32_t frame_max, void*) {
  const auto window = static_cast<size_t>(std::max(0, std::min(connection_window, stream_window)));
  return static_cast<ssize_t>(std::min({kDataBytesMax, window, static_cast<size_t>(frame_max)}));
}

}  // namespace kinglet::net
