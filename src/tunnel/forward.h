// A request to a node, carried over a byte stream: the server's end and the node's.
#pragma once
#include <memory>

#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"

namespace kinglet::tunnel {

// The server's end: sends the exchange's request over `stream` and answers it with what comes back;
// bodies, WebSockets and upgrades included. Returns when the exchange has been answered. Errors: of
// the stream, when nothing has been answered yet; an answer that has begun is cut short instead.
Task<Result<void>> forward_exchange(net::Exchange& exchange, net::Stream& stream);

// The node's end: reads the request from `stream` and lets `handler` answer it. Returns when the
// answer is out. Cancelled: the handler has unwound.
Task<Result<void>> answer_forwarded(net::Stream& stream, net::Handler& handler);

}  // namespace kinglet::tunnel
