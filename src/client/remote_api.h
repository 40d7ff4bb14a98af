// An Api over a connection that comes and goes: what an agent's node is made on.
//
// A request that is made while there is no connection waits for one, for as long as a request may
// take; lists and watches wait for ever, so that caches are in step at once when the connection is
// back. One that is cut answers `unavailable`.
#pragma once
#include <memory>

#include "base/clock.h"
#include "client/api.h"
#include "net/h2_client.h"

namespace kinglet::client {

class Connection {
 public:
  virtual ~Connection() = default;
  // Waits until there is a connection, however long that takes.
  virtual Task<void> ready() = 0;
  // Sends the head of a request, as soon as there is a connection: the caller sets the deadline.
  // Errors: unavailable.
  virtual Task<Result<std::unique_ptr<net::H2Call>>> open(net::H2Request request) = 0;
};

// `connection` outlives the Api and all its watches.
std::unique_ptr<Api> make_remote_api(Clock& clock, Connection& connection);

// One event of a watch as it comes over HTTP: {"type":"ADDED","object":{...}}. Errors: of an ERROR
// event its own, unavailable for what is no event.
Result<WatchEvent> decode_watch_event(std::string_view line);

}  // namespace kinglet::client
