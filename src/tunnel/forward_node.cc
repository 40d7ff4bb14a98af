#include <cstring>

#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "tunnel/exchange_head.h"
#include "tunnel/forward.h"
#include "tunnel/frame.h"

namespace kinglet::tunnel {
namespace {

constexpr size_t kShortBytes = 64 << 10;  // an answer up to this goes out in one piece

Error already_answered() { return Error(Code::internal, "the request has been answered already"); }

// WebSocket messages without the protocol: each is one or several frames.
class ForwardedWebSocket final : public net::WebSocket {
 public:
  ForwardedWebSocket(FrameStream& frames, std::string protocol)
      : frames_(frames), protocol_(std::move(protocol)) {}

  const std::string& subprotocol() const override { return protocol_; }

  Task<Result<std::optional<Message>>> read() override {
    constexpr size_t kMessageBytesMax = 4 << 20;
    std::string data;
    for (;;) {
      KL_TRY(frame, co_await frames_.next());
      if (!frame || frame->type == FrameType::close) co_return std::optional<Message>();
      const bool last = frame->type == FrameType::text || frame->type == FrameType::binary;
      if (!last && frame->type != FrameType::part) continue;
      data += frame->bytes;
      if (data.size() > kMessageBytesMax)
        co_return Error(Code::too_large, "WebSocket message too large");
      if (last)
        co_return std::optional<Message>(
            Message{frame->type == FrameType::binary, std::move(data)});
    }
  }

  Task<Result<void>> write(std::string_view data, bool binary) override {
    std::string frames;
    append_message(frames, data, binary);
    co_return co_await frames_.send_raw(std::move(frames));
  }

  Task<Result<void>> close(uint16_t code, std::string reason) override {
    std::string bytes = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    bytes += reason.substr(0, kFrameBytesMax - 2);
    co_return co_await frames_.send(FrameType::close, std::move(bytes));
  }

 private:
  FrameStream& frames_;
  const std::string protocol_;
};

class ForwardedStream final : public net::Stream {
 public:
  explicit ForwardedStream(FrameStream& frames) : frames_(frames) {}

  Task<Result<size_t>> read(std::span<char> out) override {
    while (rest_.empty()) {
      if (ended_) co_return size_t{0};
      KL_TRY(frame, co_await frames_.next());
      if (!frame) co_return Error(Code::unavailable, "the server has ended the stream");
      ended_ = frame->type == FrameType::end;
      if (frame->type == FrameType::body) rest_ = std::move(frame->bytes);
    }
    const size_t taken = std::min(out.size(), rest_.size());
    std::memcpy(out.data(), rest_.data(), taken);
    rest_.erase(0, taken);
    co_return taken;
  }

  Task<Result<void>> write(std::string_view bytes) override {
    std::string frames;
    append_frames(frames, FrameType::body, bytes);
    co_return co_await frames_.send_raw(std::move(frames));
  }

  Task<Result<void>> close_write() override {
    std::string nothing;
    co_return co_await frames_.send(FrameType::end, std::move(nothing));
  }

 private:
  FrameStream& frames_;
  std::string rest_;
  bool ended_ = false;
};

class ForwardedExchange final : public net::Exchange {
 public:
  ForwardedExchange(FrameStream& frames, net::Request request)
      : frames_(frames), request_(std::move(request)), body_(frames) {}

  net::Request& request() override { return request_; }

  Task<Result<size_t>> read_some(std::span<char> out) override { return body_.read(out); }

  Task<Result<std::string>> read_body(size_t limit) override {
    std::string whole;
    char buffer[4096];
    for (;;) {
      KL_TRY(got, co_await body_.read(buffer));
      if (got == 0) co_return whole;
      whole.append(buffer, got);
      if (whole.size() > limit)
        co_return Error(Code::too_large, "request body larger than {} bytes", limit);
    }
  }

  Task<Result<void>> respond(int status, net::Headers headers, std::vector<Bytes> body) override {
    size_t size = 0;
    for (const auto& piece : body) size += piece.size();
    if (size > kShortBytes) {
      KL_CHECK(co_await start(status, std::move(headers)));
      KL_CHECK(co_await write(std::span<const Bytes>(body)));
      co_return co_await finish();
    }
    KL_TRY(frames, head(Answer::How::whole, status, std::move(headers), ""));
    for (const auto& piece : body) append_frames(frames, FrameType::body, piece.view());
    append_frame(frames, FrameType::end, {});
    co_return co_await frames_.send_raw(std::move(frames));
  }

  Task<Result<void>> start(int status, net::Headers headers) override {
    KL_TRY(frames, head(Answer::How::stream, status, std::move(headers), ""));
    co_return co_await frames_.send_raw(std::move(frames));
  }

  Task<Result<void>> write(std::span<const Bytes> pieces) override {
    std::string frames;
    for (const auto& piece : pieces) {
      append_frames(frames, FrameType::body, piece.view());
      if (frames.size() < kShortBytes) continue;
      std::string full = std::exchange(frames, {});
      KL_CHECK(co_await frames_.send_raw(std::move(full)));
    }
    if (frames.empty()) co_return Result<void>();
    co_return co_await frames_.send_raw(std::move(frames));
  }

  Task<Result<void>> finish() override {
    std::string nothing;
    co_return co_await frames_.send(FrameType::end, std::move(nothing));
  }

  bool started() const override { return started_; }

  Task<Result<std::unique_ptr<net::WebSocket>>> accept_websocket(std::string subprotocol) override {
    if (request_.headers.get("upgrade").empty())
      co_return Error(Code::bad_request, "not a WebSocket request");
    KL_TRY(frames, head(Answer::How::websocket, 101, net::Headers(), subprotocol));
    KL_CHECK(co_await frames_.send_raw(std::move(frames)));
    co_return std::make_unique<ForwardedWebSocket>(frames_, std::move(subprotocol));
  }

  Task<Result<std::unique_ptr<net::Stream>>> upgrade(net::Headers headers) override {
    if (request_.headers.get("upgrade").empty())
      co_return Error(Code::bad_request, "not a request for an upgrade");
    KL_TRY(frames, head(Answer::How::upgrade, 101, std::move(headers), ""));
    KL_CHECK(co_await frames_.send_raw(std::move(frames)));
    co_return std::make_unique<ForwardedStream>(frames_);
  }

 private:
  Result<std::string> head(Answer::How how, int status, net::Headers headers,
                           std::string protocol) {
    if (started_) return already_answered();
    Answer answer{how, status, std::move(headers), std::move(protocol)};
    KL_TRY_FN(text, encode_answer(answer));
    started_ = true;
    std::string frames;
    append_frame(frames, FrameType::answer, text);
    return frames;
  }

  FrameStream& frames_;
  net::Request request_;
  ForwardedStream body_;
  bool started_ = false;
};

}  // namespace

Task<Result<void>> answer_forwarded(net::Stream& stream, net::Handler& handler) {
  FrameStream frames(stream);
  KL_TRY(first, co_await frames.next());
  if (!first || first->type != FrameType::request)
    co_return Error(Code::bad_request, "the stream carries no request");
  KL_TRY(request, decode_request(first->bytes));
  ForwardedExchange exchange(frames, std::move(request));
  co_await handler.serve(exchange);
  if (!exchange.started()) {
    Log("tunnel").error("a request was left without an answer",
                        kv("path", exchange.request().path));
    const auto answered = co_await net::respond_text(exchange, 500, "internal error\n");
    (void)answered;
  }
  // An answer without its end is cut: the stream closes before it.
  co_return co_await frames.close_write();
}

}  // namespace kinglet::tunnel
