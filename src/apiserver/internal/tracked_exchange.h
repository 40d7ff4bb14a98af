// An exchange that adds the headers every answer has, and remembers what was answered.
#pragma once
#include <string>

#include "net/http.h"

namespace kinglet::apiserver {

class TrackedExchange final : public net::Exchange {
 public:
  TrackedExchange(net::Exchange& inner, std::string audit_id)
      : inner_(inner), audit_id_(std::move(audit_id)) {}
  int status() const { return status_; }  // 0: nothing was answered

  net::Request& request() override { return inner_.request(); }
  Task<Result<std::string>> read_body(size_t limit) override;
  Task<Result<size_t>> read_some(std::span<char> out) override;
  Task<Result<void>> respond(int status, net::Headers headers, std::vector<Bytes> body) override;
  Task<Result<void>> start(int status, net::Headers headers) override;
  Task<Result<void>> write(std::span<const Bytes> pieces) override;
  Task<Result<void>> finish() override;
  bool started() const override { return inner_.started(); }
  Task<Result<std::unique_ptr<net::WebSocket>>> accept_websocket(std::string subprotocol) override;
  Task<Result<std::unique_ptr<net::Stream>>> upgrade(net::Headers headers) override;

 private:
  void complete(int status, net::Headers& headers);
  net::Exchange& inner_;
  std::string audit_id_;
  int status_ = 0;
};

}  // namespace kinglet::apiserver
