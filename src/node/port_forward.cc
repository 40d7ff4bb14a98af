#include "node/port_forward.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <charconv>
#include <deque>

#include "base/log.h"
#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"
#include "net/spdy.h"
#include "net/websocket_offer.h"

namespace kinglet::node {
namespace asio = boost::asio;
using net::SpdyFrame;

namespace {
constexpr std::string_view kProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr size_t kConnectionsMax = 256;      // of one client
constexpr size_t kBufferBytesMax = 1 << 20;  // for a pod that reads slowly; then the client waits
constexpr Duration kPairTimeout = std::chrono::seconds(30);
constexpr size_t kReadBytes = 32 << 10;
enum Reset : uint32_t { kProtocolError = 1, kRefused = 3 };

// What carries the SPDY bytes.
class Carrier {
 public:
  virtual ~Carrier() = default;
  virtual Task<Result<std::string>> read() = 0;  // "": the end
  virtual Task<Result<void>> write(std::string_view bytes) = 0;
};

class SocketCarrier final : public Carrier {
 public:
  explicit SocketCarrier(std::unique_ptr<net::WebSocket> socket) : socket_(std::move(socket)) {}
  Task<Result<std::string>> read() override {
    for (;;) {
      KL_TRY(message, co_await socket_->read());
      if (!message) co_return std::string();
      if (!message->data.empty()) co_return std::move(message->data);
    }
  }
  Task<Result<void>> write(std::string_view bytes) override {
    co_return co_await socket_->write(bytes);
  }

 private:
  std::unique_ptr<net::WebSocket> socket_;
};

class StreamCarrier final : public Carrier {
 public:
  explicit StreamCarrier(std::unique_ptr<net::Stream> stream) : stream_(std::move(stream)) {}
  Task<Result<std::string>> read() override {
    std::string buffer(kReadBytes, '\0');
    KL_TRY(got, co_await stream_->read(std::span<char>(buffer)));
    buffer.resize(got);
    co_return buffer;
  }
  Task<Result<void>> write(std::string_view bytes) override {
    co_return co_await stream_->write(bytes);
  }

 private:
  std::unique_ptr<net::Stream> stream_;
};

// One forwarded connection.
struct Connection {
  uint32_t error_stream = 0, data_stream = 0;  // 0: not there yet
  uint16_t port = 0;
  std::deque<std::string> to_pod;
  size_t to_pod_bytes = 0;
  bool client_done = false;  // half closed by the client
  Signal changed;
  TaskGroup tasks;
};

class Forwarder {
 public:
  Forwarder(Carrier& carrier, Clock& clock, DialPod dial)
      : carrier_(carrier), clock_(clock), dial_(std::move(dial)) {}

  Task<Result<void>> run() {
    group_.add("port-forward reader", read_loop());
    group_.add("port-forward writer", write_loop());
    co_return co_await group_.run();
  }

 private:
  Task<Result<void>> read_loop() {
    for (;;) {
      KL_TRY(bytes, co_await carrier_.read());
      if (bytes.empty()) break;
      std::vector<SpdyFrame> frames;
      KL_CHECK(codec_.feed(bytes, frames));
      for (auto& frame : frames) KL_CHECK(co_await take(frame));
    }
    group_.cancel();
    co_return Result<void>();
  }

  // Frames leave in the order in which they were made: the compression of headers depends on it.
  Task<Result<void>> write_loop() {
    for (;;) {
      while (out_.empty()) co_await wanted_.wait();
      const std::string bytes = std::exchange(out_, {});
      KL_CHECK(co_await carrier_.write(bytes));
      written_.notify_all();
    }
  }
  void send(std::string bytes) {
    out_ += bytes;
    wanted_.notify_all();
  }

  Task<Result<void>> take(SpdyFrame& frame) {
    switch (frame.kind) {
      case SpdyFrame::Kind::syn_stream:
        open(frame);
        break;
      case SpdyFrame::Kind::data:
        co_return co_await take_data(frame);
      case SpdyFrame::Kind::reset:
        if (const auto connection = find(frame.stream)) connection->tasks.cancel();
        forget(frame.stream);
        break;
      case SpdyFrame::Kind::ping:
        if (frame.stream % 2 == 1)
          send(net::SpdyCodec::ping(frame.stream));  // an odd one is the client's
        break;
      case SpdyFrame::Kind::goaway:
      case SpdyFrame::Kind::syn_reply:
      case SpdyFrame::Kind::other:
        break;
    }
    co_return Result<void>();
  }

  static std::string header(const SpdyFrame& frame, std::string_view name) {
    for (const auto& [key, value] : frame.headers)
      if (key == name) return value;
    return {};
  }

  void open(const SpdyFrame& frame) {
    const std::string type = header(frame, "streamtype"), port = header(frame, "port");
    std::string request = header(frame, "requestid");
    // Old clients send none: error stream n belongs to data stream n + 2.
    if (request.empty())
      request = fmt::format("#{}", type == "data" ? frame.stream - 2 : frame.stream);
    uint16_t number = 0;
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool valid = (type == "error" || type == "data") && parsed.ec == std::errc() &&
                       parsed.ptr == port.data() + port.size() && number > 0;
    const auto known = pairs_.find(request);
    if (!valid || by_stream_.contains(frame.stream))
      return send(net::SpdyCodec::reset(frame.stream, kProtocolError));
    if (known == pairs_.end() && connections_ >= kConnectionsMax)
      return send(net::SpdyCodec::reset(frame.stream, kRefused));
    const auto connection = known == pairs_.end() ? std::make_shared<Connection>() : known->second;
    auto& place = type == "error" ? connection->error_stream : connection->data_stream;
    if (place != 0 || (known != pairs_.end() && connection->port != number))
      return send(net::SpdyCodec::reset(frame.stream, kProtocolError));
    place = frame.stream;
    connection->port = number;
    by_stream_[frame.stream] = connection;
    send(codec_.syn_reply(frame.stream, {}));
    if (known == pairs_.end()) {
      pairs_[request] = connection;
      ++connections_;
      group_.add("port-forward connection", serve(connection, request));
    }
    connection->changed.notify_all();
  }

  Task<Result<void>> take_data(SpdyFrame& frame) {
    const auto connection = find(frame.stream);
    if (!connection || frame.stream != connection->data_stream)
      co_return Result<void>();  // ended, or the error stream
    // No flow control in SPDY as it is spoken here: a pod that does not read slows the whole
    // session.
    while (connection->to_pod_bytes > kBufferBytesMax && by_stream_.contains(frame.stream))
      co_await connection->changed.wait();
    connection->to_pod_bytes += frame.data.size();
    if (!frame.data.empty()) connection->to_pod.push_back(std::move(frame.data));
    connection->client_done = connection->client_done || frame.fin;
    connection->changed.notify_all();
    co_return Result<void>();
  }

  std::shared_ptr<Connection> find(uint32_t stream) const {
    const auto found = by_stream_.find(stream);
    return found == by_stream_.end() ? nullptr : found->second;
  }
  void forget(uint32_t stream) {
    const auto connection = find(stream);
    by_stream_.erase(stream);
    if (connection) connection->changed.notify_all();
  }

  // From the first stream of a pair to the end of the connection.
  Task<void> serve(std::shared_ptr<Connection> connection, std::string request) {
    struct Leave {
      Forwarder& forwarder;
      Connection& connection;
      std::string request;
      ~Leave() {
        --forwarder.connections_;
        forwarder.pairs_.erase(request);
        forwarder.forget(connection.error_stream);
        forwarder.forget(connection.data_stream);
      }
    } leave{*this, *connection, request};
    connection->tasks.add("forward", forward(*connection));
    connection->tasks.add("pair", expect_pair(*connection));
    const auto ended = co_await connection->tasks.run();
    // The error stream says why, then both end.
    if (!ended && connection->error_stream != 0) {
      const std::string reason = fmt::format("an error occurred forwarding {0} -> {0}: {1}",
                                             connection->port, ended.error().message());
      send(net::SpdyCodec::data(connection->error_stream, reason, false));
    }
    for (const uint32_t stream : {connection->data_stream, connection->error_stream})
      if (stream != 0 && by_stream_.contains(stream)) send(net::SpdyCodec::data(stream, {}, true));
  }

  Task<Result<void>> expect_pair(Connection& connection) {
    co_await clock_.sleep(kPairTimeout);
    if (connection.error_stream == 0 || connection.data_stream == 0)
      co_return Error(Code::timeout, "the other stream of the pair does not come");
    co_return Result<void>();
  }

  Task<Result<void>> forward(Connection& connection) {
    while (connection.error_stream == 0 || connection.data_stream == 0)
      co_await connection.changed.wait();
    KL_TRY(fd, co_await dial_(connection.port));
    asio::ip::tcp::socket pod(co_await asio::this_coro::executor);
    pod.assign(asio::ip::tcp::v4(), fd);
    TaskGroup both;
    both.add("to pod", to_pod(connection, pod));
    both.add("from pod", from_pod(connection, pod, both));
    const auto ended = co_await both.run();
    connection.tasks.cancel();  // ends expect_pair
    co_return ended;
  }

  Task<Result<void>> to_pod(Connection& connection, asio::ip::tcp::socket& pod) {
    for (;;) {
      while (connection.to_pod.empty() && !connection.client_done)
        co_await connection.changed.wait();
      boost::system::error_code error;
      if (connection.to_pod.empty()) {
        pod.shutdown(asio::ip::tcp::socket::shutdown_send, error);
        co_return Result<void>();  // the pod may still answer
      }
      const std::string bytes = std::move(connection.to_pod.front());
      connection.to_pod.pop_front();
      for (size_t at = 0; at < bytes.size() && !error;)
        at += co_await pod.async_write_some(asio::buffer(bytes.data() + at, bytes.size() - at),
                                            asio::redirect_error(asio::use_awaitable, error));
      connection.to_pod_bytes -= bytes.size();
      connection.changed.notify_all();
      // A pod that closes early is told by the reading side.
      if (error) co_return Result<void>();
    }
  }

  Task<Result<void>> from_pod(Connection& connection, asio::ip::tcp::socket& pod, TaskGroup& both) {
    std::string buffer(kReadBytes, '\0');
    for (;;) {
      boost::system::error_code error;
      const size_t got =
          co_await pod.async_read_some(asio::buffer(buffer.data(), buffer.size()),
                                       asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
      send(net::SpdyCodec::data(connection.data_stream, std::string_view(buffer).substr(0, got),
                                false));
      while (out_.size() > kBufferBytesMax) co_await written_.wait();
    }
    both.cancel();  // the pod has closed: nobody reads what the client still sends
    co_return Result<void>();
  }

  Carrier& carrier_;
  Clock& clock_;
  const DialPod dial_;
  net::SpdyCodec codec_;
  TaskGroup group_;
  std::string out_;
  Signal wanted_, written_;
  std::map<std::string, std::shared_ptr<Connection>> pairs_;  // by requestid
  std::map<uint32_t, std::shared_ptr<Connection>> by_stream_;
  size_t connections_ = 0;
};

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Task<Result<std::unique_ptr<Carrier>>> accept(net::Exchange& exchange) {
  std::unique_ptr<Carrier> carrier;
  const auto& headers = exchange.request().headers;
  if (headers.get("upgrade") == "SPDY/3.1") {
    if (!contains(headers.all("x-stream-protocol-version"), kProtocol))
      co_return Error(Code::bad_request, "the only protocol for forwarding is {}", kProtocol);
    net::Headers answer;
    answer.add("upgrade", "SPDY/3.1");
    answer.add("x-stream-protocol-version", std::string(kProtocol));
    KL_TRY(stream, co_await exchange.upgrade(std::move(answer)));
    carrier = std::make_unique<StreamCarrier>(std::move(stream));
    co_return carrier;
  }
  if (!contains(net::offered_protocols(exchange.request()), kTunnel))
    co_return Error(Code::bad_request,
                    "port forwarding needs an upgrade to SPDY/3.1 or the WebSocket protocol {}",
                    kTunnel);
  const std::string protocol(kTunnel);
  KL_TRY(socket, co_await exchange.accept_websocket(protocol));
  carrier = std::make_unique<SocketCarrier>(std::move(socket));
  co_return carrier;
}
}  // namespace

Task<Result<void>> serve_port_forward(net::Exchange& exchange, Clock& clock, DialPod dial) {
  KL_TRY(carrier, co_await accept(exchange));
  Forwarder forwarder(*carrier, clock, std::move(dial));
  co_return co_await forwarder.run();
}

}  // namespace kinglet::node
