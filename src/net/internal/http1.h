// One HTTP/1.1 connection of the server: a reader that parses ahead, and one request at a time.
#pragma once
#include "base/signal.h"
#include "base/task_group.h"
#include "net/internal/connection.h"
#include "net/internal/http1_parser.h"

namespace kinglet::net {

class Http1Exchange;

class Http1Connection final : public BodyPipe {
 public:
  Http1Connection(ServerContext& server, Transport& transport, Peer peer);
  Task<void> run();

 private:
  friend class Http1Exchange;

  // Reading: http1.cc
  Task<Result<void>> read_loop();
  bool may_read() const;
  void take(std::string_view bytes);
  bool parse_input();
  void refuse(const Error& error);
  void peer_finished();
  void read_expired();
  Request take_request();

  // One request after the other, while there are any: http1.cc
  Task<void> serve_requests();
  Task<bool> serve_one();
  Task<bool> drain_body();
  Task<void> linger();

  // The request's body, or the raw bytes after an upgrade: http1_exchange.cc
  Task<Result<size_t>> read_body_part(std::span<char> out);
  Task<Result<void>> wait_for_body();
  bool body_ready() const { return parser_.body_size() > body_at_; }
  // Everything that was put into the transport reaches the kernel, or the peer is too slow.
  Task<Result<void>> flush();
  Task<Result<void>> send(std::string_view bytes);

  Task<Result<size_t>> pipe_read(std::span<char> out) override;
  Task<Result<void>> pipe_write(std::string_view bytes) override;
  Task<Result<void>> pipe_close() override;

  ServerContext& server_;
  Transport& transport_;
  const Peer peer_;
  TaskGroup group_;
  Http1Parser parser_;
  std::string input_;   // read, but not the parser's turn yet
  size_t body_at_ = 0;  // how much of parser_.body() the handler has taken
  std::optional<Error> body_error_;
  Signal arrived_, resume_;
  Deadlines::Timer read_timer_, write_timer_;
  bool serving_ = false;     // serve_requests() runs
  bool discarding_ = false;  // nobody wants the rest of this body
  bool lingering_ = false;   // everything has been said; what still comes is dropped
  bool raw_ = false;         // upgraded: no parser
  bool peer_finished_ = false;
};

}  // namespace kinglet::net
