// Frames: how a request to a node, its answer and control messages are written on a byte stream of
// the tunnel.
//
// Layout (docs/formats.md): one byte type, four bytes length (big endian), then so many bytes.
// Unknown types are skipped by their length, so that a newer peer may say more.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"

namespace kinglet::tunnel {

enum class FrameType : uint8_t {
  // of a request to a node
  request = 1,  // JSON: method, target, headers
  answer = 2,   // JSON: how, status, headers, protocol
  body = 3,     // bytes of a body, or of an upgraded stream
  end = 4,      // of that direction
  part = 5,     // of a WebSocket message: more of it follows
  text = 6,     // the last part of a text message
  binary = 7,   // of a binary one
  close = 8,    // two bytes code, then the reason
  // of the control stream
  welcome = 17,
  ping = 18,
  pong = 19,
  open = 20,
  goodbye = 21,
};

struct Frame {
  FrameType type{};
  std::string bytes;
};

constexpr size_t kFrameBytesMax = 64 << 10;
constexpr size_t kFrameHeadBytes = 5;

// Appends a frame. `bytes` is at most kFrameBytesMax.
void append_frame(std::string& out, FrameType type, std::string_view bytes);
// Appends as many frames of `type` as it takes; none when `bytes` is empty.
void append_frames(std::string& out, FrameType type, std::string_view bytes);

// A WebSocket message as frames.
void append_message(std::string& out, std::string_view data, bool binary);

// Frames out of bytes, whatever pieces they come in.
class FrameParser {
 public:
  void feed(std::string_view bytes);
  // nullopt: more bytes are needed. Errors: bad_request (a length beyond kFrameBytesMax).
  Result<std::optional<Frame>> next();
  bool empty() const { return at_ == buffer_.size(); }  // nothing begun

 private:
  std::string buffer_;
  size_t at_ = 0;
};

// Both directions of a stream as frames. One reader; writers may be several, each call's bytes stay
// together.
class FrameStream {
 public:
  explicit FrameStream(net::Stream& stream) : stream_(stream) {}
  // nullopt: the peer has ended its direction. Errors: unavailable, bad_request.
  Task<Result<std::optional<Frame>>> next();
  Task<Result<void>> send(FrameType type, std::string bytes);
  Task<Result<void>> send_raw(std::string frames);  // made by append_frame()
  Task<Result<void>> close_write();

 private:
  net::Stream& stream_;
  FrameParser parser_;
};

}  // namespace kinglet::tunnel
