#include "net/internal/websocket.h"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include <cstring>
#include <deque>

#include "base/signal.h"
#include "base/task.h"
#include "net/crypto.h"
#include "net/websocket_offer.h"

namespace kinglet::net {
namespace {

// A peer may send pings faster than it reads our pongs; so many wait, then it is cut.
constexpr size_t kQueuedControlMax = 64;
constexpr size_t kReadBytes = 16 << 10;

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return text;
}

std::vector<std::string> comma_list(const std::vector<std::string>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) {
    size_t at = 0;
    while (at <= row.size()) {
      const size_t end = std::min(row.find(',', at), row.size());
      size_t from = at, to = end;
      while (from < to && (row[from] == ' ' || row[from] == '\t')) ++from;
      while (to > from && (row[to - 1] == ' ' || row[to - 1] == '\t')) --to;
      if (to > from) out.push_back(row.substr(from, to - from));
      at = end + 1;
    }
  }
  return out;
}

class WslaySocket final : public WebSocket {
 public:
  WslaySocket(std::unique_ptr<Stream> stream, std::string subprotocol, Random* mask)
      : stream_(std::move(stream)), subprotocol_(std::move(subprotocol)), mask_(mask) {
    wslay_event_callbacks callbacks{};
    callbacks.recv_callback = on_recv;
    callbacks.send_callback = on_send;
    callbacks.genmask_callback = on_mask;
    callbacks.on_msg_recv_callback = on_message;
    const int made = mask ? wslay_event_context_client_init(&context_, &callbacks, this)
                          : wslay_event_context_server_init(&context_, &callbacks, this);
    KL_ASSERT(made == 0, "wslay");
    wslay_event_config_set_max_recv_msg_length(context_, kWebSocketMessageBytesMax);
  }
  ~WslaySocket() override { wslay_event_context_free(context_); }

  const std::string& subprotocol() const override { return subprotocol_; }
  Task<Result<std::optional<Message>>> read() override;
  Task<Result<void>> write(std::string_view data, bool binary) override;
  Task<Result<void>> close(uint16_t code, std::string reason) override;

 private:
  static WslaySocket& self(void* data) { return *static_cast<WslaySocket*>(data); }
  static ssize_t on_recv(wslay_event_context_ptr, uint8_t* out, size_t size, int, void* data);
  static ssize_t on_send(wslay_event_context_ptr, const uint8_t* bytes, size_t size, int, void*);
  static int on_mask(wslay_event_context_ptr, uint8_t* out, size_t size, void* data);
  static void on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg*, void*);
  Task<Result<void>> send_queued();

  std::unique_ptr<Stream> stream_;
  const std::string subprotocol_;
  Random* const mask_;
  wslay_event_context_ptr context_ = nullptr;
  std::string_view input_;  // valid during wslay_event_recv
  std::deque<Message> messages_;
  std::string output_;
  bool sending_ = false, closed_ = false;
  Signal sent_;
};

ssize_t WslaySocket::on_recv(wslay_event_context_ptr context, uint8_t* out, size_t size, int,
                             void* data) {
  auto& input = self(data).input_;
  if (input.empty()) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  const size_t taken = std::min(size, input.size());
  std::memcpy(out, input.data(), taken);
  input.remove_prefix(taken);
  return static_cast<ssize_t>(taken);
}

ssize_t WslaySocket::on_send(wslay_event_context_ptr, const uint8_t* bytes, size_t size, int,
                             void* data) {
  self(data).output_.append(reinterpret_cast<const char*>(bytes), size);
  return static_cast<ssize_t>(size);
}

int WslaySocket::on_mask(wslay_event_context_ptr, uint8_t* out, size_t size, void* data) {
  self(data).mask_->fill({out, size});
  return 0;
}

void WslaySocket::on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* arg,
                             void* data) {
  auto& me = self(data);
  if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
    me.closed_ = true;
  } else if (!wslay_is_ctrl_frame(arg->opcode)) {
    me.messages_.push_back({arg->opcode == WSLAY_BINARY_FRAME,
                            std::string(reinterpret_cast<const char*>(arg->msg), arg->msg_length)});
  }
}

// One coroutine sends at a time; what others queue meanwhile it takes along.
Task<Result<void>> WslaySocket::send_queued() {
  while (sending_) co_await sent_.wait();
  struct Sending {
    WslaySocket& socket;
    ~Sending() {
      socket.sending_ = false;
      socket.sent_.notify_all();
    }
  } sending{*this};
  sending_ = true;
  while (wslay_event_want_write(context_)) {
    output_.clear();
    if (wslay_event_send(context_) != 0) co_return Error(Code::unavailable, "WebSocket broken");
    const std::string bytes = std::move(output_);
    output_.clear();
    KL_CHECK(co_await stream_->write(bytes));
  }
  co_return Result<void>();
}

Task<Result<std::optional<WebSocket::Message>>> WslaySocket::read() {
  for (;;) {
    if (!messages_.empty()) {
      std::optional<Message> first(std::move(messages_.front()));
      messages_.pop_front();
      co_return std::move(first);
    }
    if (closed_) {
      // The answer to the peer's close frame was queued by wslay; the peer may have gone already.
      const auto answered = co_await send_queued();
      (void)answered;
      co_return std::optional<Message>();
    }
    std::string buffer(kReadBytes, '\0');
    KL_TRY(got, co_await stream_->read(std::span<char>(buffer)));
    if (got == 0) co_return Error(Code::unavailable, "the peer left without a close frame");
    input_ = std::string_view(buffer).substr(0, got);
    const int failed = wslay_event_recv(context_);
    // wslay stops reading after a protocol error, having queued the close frame that says why.
    const bool broken = failed != 0 || (!closed_ && !wslay_event_get_read_enabled(context_));
    input_ = {};
    if (wslay_event_get_queued_msg_count(context_) > kQueuedControlMax)
      co_return Error(Code::too_large, "too many WebSocket pings");
    // A writer that is busy takes the pongs along: waiting for it here would stop the reading side
    // as well.
    if (wslay_event_want_write(context_) && !sending_) {
      const auto sent = co_await send_queued();
      if (!sent && !broken && !closed_) co_return sent.error();
    }
    if (!broken) continue;
    const uint16_t code = wslay_event_get_status_code_sent(context_);
    if (code == WSLAY_CODE_MESSAGE_TOO_BIG)
      co_return Error(Code::too_large, "WebSocket message larger than {} bytes",
                      kWebSocketMessageBytesMax);
    co_return Error(Code::unavailable, "WebSocket protocol error {}", code);
  }
}

Task<Result<void>> WslaySocket::write(std::string_view data, bool binary) {
  // Waits before queueing, so that slow peers slow the writers instead of growing the queue.
  while (sending_) co_await sent_.wait();
  wslay_event_msg message{};
  message.opcode = binary ? WSLAY_BINARY_FRAME : WSLAY_TEXT_FRAME;
  message.msg = reinterpret_cast<const uint8_t*>(data.data());
  message.msg_length = data.size();
  if (wslay_event_queue_msg(context_, &message) != 0)
    co_return Error(Code::unavailable, "WebSocket closed");
  co_return co_await send_queued();
}

Task<Result<void>> WslaySocket::close(uint16_t code, std::string reason) {
  constexpr size_t kReasonBytesMax = 123;  // a control frame's 125 less the code
  reason.resize(std::min(reason.size(), kReasonBytesMax));
  if (wslay_event_queue_close(context_, code, reinterpret_cast<const uint8_t*>(reason.data()),
                              reason.size()) != 0)
    co_return Result<void>();  // closed before
  co_return co_await send_queued();
}
}  // namespace

std::string websocket_accept_key(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), hash, &size, EVP_sha1(), nullptr);
  return base64({reinterpret_cast<char*>(hash), size});
}

std::vector<std::string> offered_protocols(const Request& request) {
  return comma_list(request.headers.all("sec-websocket-protocol"));
}

Result<void> check_websocket_request(const Request& request) {
  if (request.headers.get("sec-websocket-version") != "13")
    return Error(Code::bad_request, "only version 13 of WebSocket is spoken");
  if (request.http_major >= 2) return {};
  if (request.method != "GET" || lower(std::string(request.headers.get("upgrade"))) != "websocket")
    return Error(Code::bad_request, "not a WebSocket request");
  const auto key = from_base64(request.headers.get("sec-websocket-key"));
  if (!key || key->size() != 16) return Error(Code::bad_request, "bad Sec-WebSocket-Key");
  return {};
}

std::unique_ptr<WebSocket> make_websocket(std::unique_ptr<Stream> stream, std::string subprotocol) {
  return std::make_unique<WslaySocket>(std::move(stream), std::move(subprotocol), nullptr);
}

std::unique_ptr<WebSocket> make_websocket_client(std::unique_ptr<Stream> stream,
                                                 std::string subprotocol, Random& random) {
  return std::make_unique<WslaySocket>(std::move(stream), std::move(subprotocol), &random);
}

}  // namespace kinglet::net
