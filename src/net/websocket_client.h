// A WebSocket client: HTTP/1.1 upgrade over TLS or plain TCP (tests, the CLI).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/client.h"

namespace kinglet::net {

// `url` is http:// or https://. `random` makes the masks and outlives the socket. No deadline: the
// caller's. Errors: bad_request (URL), unavailable (cannot connect, or the server does not upgrade:
// with its status and the beginning of its words), unauthorized (certificate).
Task<Result<std::unique_ptr<WebSocket>>> dial_websocket(Clock& clock, Random& random,
                                                        std::string url, ClientTls tls,
                                                        std::vector<std::string> subprotocols);

}  // namespace kinglet::net
