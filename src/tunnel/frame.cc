#include "tunnel/frame.h"

#include "base/task.h"

namespace kinglet::tunnel {
namespace {
constexpr size_t kReadBytes = 16 << 10;

uint32_t big_endian(std::string_view bytes) {
  uint32_t out = 0;
  for (const char c : bytes) out = out << 8 | static_cast<uint8_t>(c);
  return out;
}
}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view bytes) {
  KL_ASSERT(bytes.size() <= kFrameBytesMax, "frame of {} bytes", bytes.size());
  out += static_cast<char>(type);
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(bytes.size() >> shift & 0xff);
  out += bytes;
}

void append_frames(std::string& out, FrameType type, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, kFrameBytesMax);
    append_frame(out, type, piece);
    bytes.remove_prefix(piece.size());
  }
}

void append_message(std::string& out, std::string_view data, bool binary) {
  while (data.size() > kFrameBytesMax) {
    append_frame(out, FrameType::part, data.substr(0, kFrameBytesMax));
    data.remove_prefix(kFrameBytesMax);
  }
  append_frame(out, binary ? FrameType::binary : FrameType::text, data);
}

void FrameParser::feed(std::string_view bytes) {
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_ += bytes;
}

Result<std::optional<Frame>> FrameParser::next() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty() && !buffer_.empty()) {
    std::string().swap(buffer_);  // a silent stream owns no buffer
    at_ = 0;
  }
  if (rest.size() < kFrameHeadBytes) return std::optional<Frame>();
  const size_t length = big_endian(rest.substr(1, 4));
  if (length > kFrameBytesMax)
    return Error(Code::bad_request, "a frame of {} bytes: this is no tunnel", length);
  if (rest.size() < kFrameHeadBytes + length) return std::optional<Frame>();
  at_ += kFrameHeadBytes + length;
  return std::optional<Frame>(
      Frame{static_cast<FrameType>(rest[0]), std::string(rest.substr(kFrameHeadBytes, length))});
}

Task<Result<std::optional<Frame>>> FrameStream::next() {
  for (;;) {
    KL_TRY(frame, parser_.next());
    if (frame) co_return std::move(frame);
    char bytes[kReadBytes];
    KL_TRY(got, co_await stream_.read(bytes));
    if (got == 0 && parser_.empty()) co_return std::optional<Frame>();
    if (got == 0) co_return Error(Code::unavailable, "the stream ends in the middle of a frame");
    parser_.feed({bytes, got});
  }
}

Task<Result<void>> FrameStream::send(FrameType type, std::string bytes) {
  std::string out;
  append_frame(out, type, bytes);
  co_return co_await stream_.write(out);
}

Task<Result<void>> FrameStream::send_raw(std::string frames) {
  co_return co_await stream_.write(frames);
}

Task<Result<void>> FrameStream::close_write() { co_return co_await stream_.close_write(); }

}  // namespace kinglet::tunnel
