// The Exchange of one HTTP/1.1 request.
#pragma once
#include "net/internal/http1.h"

namespace kinglet::net {

class Http1Exchange final : public Exchange {
 public:
  Http1Exchange(Http1Connection& connection, Request request);

  // Splits the target. Errors: bad_request.
  Result<void> validate();
  // After the handler: completes what it left open. False: the answer is cut short.
  Task<bool> end();
  bool keep_alive() const { return keep_alive_; }

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

 private:
  enum class State { open, streaming, done, upgraded };
  Task<Result<void>> continue_if_expected();
  std::string head(int status, const Headers& headers, std::optional<size_t> length);
  Task<Result<void>> switch_protocols(std::string head);

  Http1Connection& c_;
  Request request_;
  State state_ = State::open;
  bool keep_alive_, is_head_, chunked_ = false, body_suppressed_ = false;
  bool expects_continue_;
};

}  // namespace kinglet::net
