// Port forwarding: connections of a client into a pod, multiplexed by SPDY/3.1 over a WebSocket or
// an upgraded stream.
//
// Each connection is a pair of streams with the same requestid: "error" (text says what went wrong)
// and "data".
#pragma once
#include <functional>

#include "base/clock.h"
#include "net/http.h"

namespace kinglet::node {

// Connects to `port` inside the pod. Returns a connected, non-blocking TCP socket that the caller
// owns.
using DialPod = std::function<Task<Result<int>>(uint16_t port)>;

// Answers the exchange with the upgrade that it asks for, and serves until the client leaves.
// Errors: bad_request (neither WebSocket nor SPDY, or another protocol).
Task<Result<void>> serve_port_forward(net::Exchange& exchange, Clock& clock, DialPod dial);

// Dials 127.0.0.1 and then ::1 in the network namespace at `path` ("": this process's).
DialPod dial_in_namespace(std::string path, Clock& clock);

}  // namespace kinglet::node
