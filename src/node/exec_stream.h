// Carries the streams of an exec or attach session over a WebSocket.
#pragma once
#include "net/http.h"
#include "node/channel_protocol.h"
#include "node/container_access.h"

namespace kinglet::node {

// What the client asked for. Parsed from the query; errors: bad_request.
struct StreamOptions {
  bool in = false, out = false, err = false, tty = false;
  std::vector<std::string> command;  // exec only
};
enum class StreamKind { exec, attach };
Result<StreamOptions> parse_stream_options(const net::Request& request, StreamKind kind);

// Answers the exchange with a WebSocket, runs the session and says on the error channel how it
// ended. The client's leaving ends an exec's process and leaves an attached container alone.
Task<Result<void>> serve_streams(ContainerAccess& containers, net::Exchange& exchange,
                                 std::string id, StreamKind kind, StreamOptions options);

}  // namespace kinglet::node
