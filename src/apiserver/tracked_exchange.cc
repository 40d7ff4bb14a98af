#include "apiserver/internal/tracked_exchange.h"

namespace kinglet::apiserver {

void TrackedExchange::complete(int status, net::Headers& headers) {
  status_ = status;
  headers.set("Audit-Id", audit_id_);
  if (!headers.find("Cache-Control")) headers.add("Cache-Control", "no-cache, private");
}

// None of these is a coroutine: they hand the inner one's task on.
Task<Result<std::string>> TrackedExchange::read_body(size_t limit) {
  return inner_.read_body(limit);
}
Task<Result<size_t>> TrackedExchange::read_some(std::span<char> out) {
  return inner_.read_some(out);
}

Task<Result<void>> TrackedExchange::respond(int status, net::Headers headers,
                                            std::vector<Bytes> body) {
  complete(status, headers);
  return inner_.respond(status, std::move(headers), std::move(body));
}

Task<Result<void>> TrackedExchange::start(int status, net::Headers headers) {
  complete(status, headers);
  return inner_.start(status, std::move(headers));
}

Task<Result<void>> TrackedExchange::write(std::span<const Bytes> pieces) {
  return inner_.write(pieces);
}
Task<Result<void>> TrackedExchange::finish() { return inner_.finish(); }

Task<Result<std::unique_ptr<net::WebSocket>>> TrackedExchange::accept_websocket(
    std::string subprotocol) {
  status_ = 101;
  return inner_.accept_websocket(std::move(subprotocol));
}

Task<Result<std::unique_ptr<net::Stream>>> TrackedExchange::upgrade(net::Headers headers) {
  status_ = 101;
  return inner_.upgrade(std::move(headers));
}

}  // namespace kinglet::apiserver
