// An exchange whose answer stays here: the API server asks a node something on its own behalf.
#pragma once
#include <string>

#include "base/task.h"
#include "net/http.h"

namespace kinglet::apiserver {

class CapturedExchange final : public net::Exchange {
 public:
  // GET `path`, without a query. More than `body_bytes_max` of answer is an error.
  CapturedExchange(const std::string& path, size_t body_bytes_max)
      : body_bytes_max_(body_bytes_max) {
    request_.method = "GET";
    request_.target = request_.path = path;
  }
  int status() const { return status_; }
  const std::string& body() const { return body_; }

  net::Request& request() override { return request_; }
  Task<Result<std::string>> read_body(size_t) override { co_return std::string(); }
  Task<Result<size_t>> read_some(std::span<char>) override { co_return size_t{0}; }
  Task<Result<void>> respond(int status, net::Headers, std::vector<Bytes> body) override {
    status_ = status;
    co_return keep(body);
  }
  Task<Result<void>> start(int status, net::Headers) override {
    status_ = status;
    co_return Result<void>();
  }
  Task<Result<void>> write(std::span<const Bytes> pieces) override { co_return keep(pieces); }
  Task<Result<void>> finish() override { co_return Result<void>(); }
  bool started() const override { return status_ != 0; }
  Task<Result<std::unique_ptr<net::WebSocket>>> accept_websocket(std::string) override {
    co_return no_upgrade();
  }
  Task<Result<std::unique_ptr<net::Stream>>> upgrade(net::Headers) override {
    co_return no_upgrade();
  }

 private:
  static Error no_upgrade() {
    return Error(Code::bad_request, "this question cannot become a stream");
  }
  Result<void> keep(std::span<const Bytes> pieces) {
    for (const auto& piece : pieces) {
      if (body_.size() + piece.size() > body_bytes_max_)
        return Error(Code::too_large, "the answer is too large");
      body_ += piece.view();
    }
    return {};
  }

  net::Request request_;
  size_t body_bytes_max_;
  int status_ = 0;
  std::string body_;
};

}  // namespace kinglet::apiserver
