// WebSocket framing (wslay) over a byte stream that has been upgraded already, for both roles.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/http.h"

namespace kinglet::net {

// kubectl sends 32 KiB at a time; a message is held in memory as a whole.
constexpr size_t kWebSocketMessageBytesMax = 4 << 20;

// base64(SHA-1(key + the RFC's GUID)).
std::string websocket_accept_key(std::string_view key);
// True for a request that RFC 6455 allows to be answered with 101.
Result<void> check_websocket_request(const Request& request);

// The server's end.
std::unique_ptr<WebSocket> make_websocket(std::unique_ptr<Stream> stream, std::string subprotocol);
// The client's end, which masks what it sends. `random` outlives it.
std::unique_ptr<WebSocket> make_websocket_client(std::unique_ptr<Stream> stream,
                                                 std::string subprotocol, Random& random);

}  // namespace kinglet::net
