#include "base/task.h"
#include "base/task_group.h"
#include "tunnel/exchange_head.h"
#include "tunnel/forward.h"
#include "tunnel/frame.h"

namespace kinglet::tunnel {
namespace {

constexpr size_t kWholeBytesMax = 256 << 10;  // of a short answer
constexpr size_t kMessageBytesMax = 4 << 20;  // of a WebSocket message, as net has it
constexpr size_t kCopyBytes = 16 << 10;

Error no_answer() {
  return Error(Code::unavailable, "the node has ended the request without an answer");
}

class Forwarding {
 public:
  Forwarding(net::Exchange& exchange, net::Stream& stream) : exchange_(exchange), frames_(stream) {}

  Task<Result<void>> run() {
    KL_TRY(head, encode_request(exchange_.request()));
    const auto& request = exchange_.request();
    // Whoever wants to switch protocols sends nothing before it is answered.
    const bool body = request.method != "GET" && request.method != "HEAD" &&
                      request.headers.get("upgrade").empty();
    std::string frames;
    append_frame(frames, FrameType::request, head);
    if (!body) append_frame(frames, FrameType::end, {});
    KL_CHECK(co_await frames_.send_raw(std::move(frames)));
    if (body) group_.add("forwarded body", send_body());
    group_.add("forwarded answer", take_answer());
    co_return co_await group_.run();
  }

 private:
  // A client that stops in the middle cancels us all; a node that answers early does not care for
  // the rest.
  Task<void> send_body() {
    const std::unique_ptr<char[]> buffer(new char[kCopyBytes]);
    for (;;) {
      const auto got = co_await exchange_.read_some({buffer.get(), kCopyBytes});
      if (!got) co_return;
      std::string bytes(buffer.get(), *got);
      const auto type = bytes.empty() ? FrameType::end : FrameType::body;
      const auto sent = co_await frames_.send(type, std::move(bytes));
      if (!sent || type == FrameType::end) co_return;
    }
  }

  Task<Result<void>> take_answer() {
    auto answered = co_await pass_answer();
    group_.cancel();  // what is left of the request's body
    co_return answered;
  }

  Task<Result<void>> pass_answer() {
    KL_TRY(frame, co_await frames_.next());
    if (!frame || frame->type != FrameType::answer) co_return no_answer();
    KL_TRY(answer, decode_answer(frame->bytes));
    switch (answer.how) {
      case Answer::How::whole:
        co_return co_await pass_whole(answer);
      case Answer::How::stream:
        co_return co_await pass_stream(answer);
      case Answer::How::websocket:
        co_return co_await pass_websocket(answer);
      case Answer::How::upgrade:
        co_return co_await pass_upgrade(answer);
    }
    co_return no_answer();
  }

  Task<Result<void>> pass_whole(const Answer& answer) {
    std::vector<Bytes> pieces;
    size_t size = 0;
    for (;;) {
      KL_TRY(frame, co_await frames_.next());
      if (!frame) co_return no_answer();
      if (frame->type == FrameType::end) break;
      if (frame->type != FrameType::body) continue;
      size += frame->bytes.size();
      if (size > kWholeBytesMax)
        co_return Error(Code::internal, "a short answer of more than {} bytes", kWholeBytesMax);
      pieces.emplace_back(frame->bytes);
    }
    net::Headers headers = answer.headers;
    co_return co_await exchange_.respond(answer.status, std::move(headers), std::move(pieces));
  }

  Task<Result<void>> pass_stream(const Answer& answer) {
    net::Headers headers = answer.headers;
    KL_CHECK(co_await exchange_.start(answer.status, std::move(headers)));
    for (;;) {
      KL_TRY(frame, co_await frames_.next());
      if (!frame) co_return no_answer();
      if (frame->type == FrameType::end) co_return co_await exchange_.finish();
      if (frame->type != FrameType::body) continue;
      const std::vector<Bytes> pieces(1, Bytes(frame->bytes));
      KL_CHECK(co_await exchange_.write(pieces));
    }
  }

  Task<Result<void>> pass_websocket(const Answer& answer) {
    std::string protocol = answer.protocol;
    KL_TRY(socket, co_await exchange_.accept_websocket(std::move(protocol)));
    TaskGroup both;
    both.add("messages to the node", to_node(*socket));
    both.add("messages from the node", from_node(*socket, both));
    co_return co_await both.run();
  }

  Task<Result<void>> to_node(net::WebSocket& socket) {
    for (;;) {
      KL_TRY(message, co_await socket.read());
      std::string frames;
      if (!message) {
        append_frame(frames, FrameType::close, std::string_view("\x03\xe8", 2));  // 1000
        co_return co_await frames_.send_raw(std::move(frames));
      }
      append_message(frames, message->data, message->binary);
      KL_CHECK(co_await frames_.send_raw(std::move(frames)));
    }
  }

  Task<Result<void>> from_node(net::WebSocket& socket, TaskGroup& both) {
    auto done = co_await messages_from_node(socket);
    both.cancel();
    co_return done;
  }

  Task<Result<void>> messages_from_node(net::WebSocket& socket) {
    std::string message;
    for (;;) {
      KL_TRY(frame, co_await frames_.next());
      if (!frame) co_return Result<void>();  // without a close: the client sees the same
      switch (frame->type) {
        case FrameType::part:
          message += frame->bytes;
          if (message.size() > kMessageBytesMax)
            co_return Error(Code::too_large, "WebSocket message too large");
          break;
        case FrameType::text:
        case FrameType::binary: {
          message += frame->bytes;
          const bool binary = frame->type == FrameType::binary;
          KL_CHECK(co_await socket.write(message, binary));
          message.clear();
          break;
        }
        case FrameType::close: {
          const auto code = close_code(frame->bytes);
          std::string reason = frame->bytes.size() > 2 ? frame->bytes.substr(2) : "";
          co_return co_await socket.close(code, std::move(reason));
        }
        default:
          break;
      }
    }
  }

  Task<Result<void>> pass_upgrade(const Answer& answer) {
    net::Headers headers = answer.headers;
    KL_TRY(raw, co_await exchange_.upgrade(std::move(headers)));
    TaskGroup both;
    both.add("bytes to the node", bytes_to_node(*raw));
    both.add("bytes from the node", bytes_from_node(*raw, both));
    co_return co_await both.run();
  }

  Task<Result<void>> bytes_to_node(net::Stream& raw) {
    const std::unique_ptr<char[]> buffer(new char[kCopyBytes]);
    for (;;) {
      KL_TRY(got, co_await raw.read({buffer.get(), kCopyBytes}));
      std::string bytes(buffer.get(), got);
      const auto type = got == 0 ? FrameType::end : FrameType::body;
      KL_CHECK(co_await frames_.send(type, std::move(bytes)));
      if (got == 0) co_return Result<void>();
    }
  }

  // The node's stream ends when its handler has; its direction alone may end before.
  Task<Result<void>> bytes_from_node(net::Stream& raw, TaskGroup& both) {
    for (;;) {
      KL_TRY(frame, co_await frames_.next());
      if (!frame) break;
      if (frame->type == FrameType::body) KL_CHECK(co_await raw.write(frame->bytes));
      if (frame->type == FrameType::end) KL_CHECK(co_await raw.close_write());
    }
    both.cancel();
    co_return Result<void>();
  }

  static uint16_t close_code(const std::string& bytes) {
    if (bytes.size() < 2) return 1000;
    return static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 |
                                 static_cast<uint8_t>(bytes[1]));
  }

  net::Exchange& exchange_;
  FrameStream frames_;
  TaskGroup group_;
};

}  // namespace

Task<Result<void>> forward_exchange(net::Exchange& exchange, net::Stream& stream) {
  Forwarding forwarding(exchange, stream);
  co_return co_await forwarding.run();
}

}  // namespace kinglet::tunnel
