// One HTTP/2 connection of the server (nghttp2): framing here, each request in its own Http2Stream.
#pragma once
#include <nghttp2/nghttp2.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/signal.h"
#include "base/task_group.h"
#include "net/internal/connection.h"

namespace kinglet::net {

class Http2Stream;

class Http2Connection {
 public:
  Http2Connection(ServerContext& server, Transport& transport, Peer peer);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  Task<void> run();

  // Sends what nghttp2 has, as far as the kernel takes it; the writer goes on when it takes more.
  void pump();
  bool lost() const { return lost_ || transport_.aborted(); }

  ServerContext& server() { return server_; }
  nghttp2_session* session() { return session_; }
  // The handler took so many bytes of a body: the peer may send as many more.
  void consumed(int32_t stream, size_t bytes);

  // For the fuzzer: bytes as if they had come from the peer. False: the connection is over.
  bool take(std::string_view bytes);

 private:
  friend struct Http2Callbacks;

  Task<Result<void>> read_loop();
  Task<Result<void>> write_loop();
  Task<void> serve_stream(std::shared_ptr<Http2Stream> stream);
  void start_ready();
  void watch_idle();
  void idle_expired();
  bool spend(int tokens);
  Http2Stream* find(int32_t id);

  ServerContext& server_;
  Transport& transport_;
  const Peer peer_;
  nghttp2_session* session_ = nullptr;
  TaskGroup group_;
  std::unordered_map<int32_t, std::shared_ptr<Http2Stream>> streams_;
  std::vector<std::shared_ptr<Http2Stream>>
      ready_;  // complete heads, to be served after nghttp2 has returned
  Deadlines::Timer idle_timer_, write_timer_;
  Signal writable_wanted_;
  bool blocked_ = false;      // the kernel takes nothing more
  bool out_of_room_ = false;  // nghttp2 stopped because the transport's buffer was full
  bool pumping_ = false, receiving_ = false, lost_ = false;
  // A peer that has proven who it is may keep several bodies waiting: what arrives for one stream leaves the others'
  // room alone, and memory is bounded by their windows. Nobody in particular gets one window for all.
  const bool separate_windows_;
  size_t handlers_ = 0;
  // Frames that cost us work and the peer nothing: a bucket that refills with time.
  int tokens_;
  TimePoint refilled_;
};

// One request on an HTTP/2 connection.
class Http2Stream final : public Exchange, public BodyPipe {
 public:
  Http2Stream(Http2Connection& connection, int32_t id, const Peer& peer);

  Task<void> serve();

  Request& request() override { return request_; }
  Task<Result<std::string>> read_body(size_t limit) override;
  Task<Result<size_t>> read_some(std::span<char> out) override;
  Task<Result<void>> respond(int status, Headers headers, std::vector<Bytes> body) override;
  Task<Result<void>> start(int status, Headers headers) override;
  Task<Result<void>> write(std::span<const Bytes> pieces) override;
  Task<Result<void>> finish() override;
  bool started() const override { return state_ != State::open; }
  Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string subprotocol) override;
  Task<Result<std::unique_ptr<Stream>>> upgrade(Headers headers) override;

  Task<Result<size_t>> pipe_read(std::span<char> out) override;
  Task<Result<void>> pipe_write(std::string_view bytes) override;
  Task<Result<void>> pipe_close() override { co_return co_await finish(); }

 private:
  friend class Http2Connection;
  friend struct Http2Callbacks;
  enum class State { open, streaming, done };

  // Called by nghttp2's callbacks.
  void on_header(std::string_view name, std::string_view value);
  void on_body(std::string_view bytes);
  void on_body_end();
  void on_closed(uint32_t error_code);
  ssize_t give(size_t length, uint32_t* flags);
  void take_out(Transport& transport, size_t bytes);
  void reset_if_body_is_left();

  Result<void> validate();
  void submit(int status, const Headers& headers, std::optional<size_t> length, bool with_body);
  void enqueue(std::span<const Bytes> pieces);
  void watch_writing();
  Task<Result<void>> wait_until_sent();
  Task<Result<void>> wait_for_body();
  void reset(uint32_t error_code);
  bool body_ready() const { return body_.size() > body_at_; }

  Http2Connection& c_;
  const int32_t id_;
  Request request_;
  std::string protocol_;  // ":protocol" of an extended CONNECT
  size_t header_bytes_ = 0;
  bool too_large_ = false;

  std::string body_;
  size_t body_at_ = 0;
  bool body_end_ = false;
  std::optional<Error> body_error_;
  Signal arrived_;

  std::deque<Bytes> out_;
  size_t out_at_ = 0;     // into the first piece
  size_t out_bytes_ = 0;  // in all pieces, less out_at_
  bool out_end_ = false, deferred_ = false;
  Signal sent_;

  State state_ = State::open;
  bool body_suppressed_ = false;
  bool patient_ = false;  // upgraded
  bool closed_ = false, response_sent_ = false, handler_done_ = false;
  TaskGroup group_;  // the handler, so that a reset can cancel it
  Deadlines::Timer read_timer_, write_timer_;
};

}  // namespace kinglet::net
