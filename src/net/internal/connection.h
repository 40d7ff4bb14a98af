// What the protocols of one server share, and their entries.
#pragma once
#include "base/clock.h"
#include "base/log.h"
#include "net/internal/deadlines.h"
#include "net/internal/transport.h"
#include "net/server.h"

namespace kinglet::net {

// Lives as long as the server.
struct ServerContext {
  Clock& clock;
  Handler& handler;
  ServerLimits limits;
  Deadlines& deadlines;
  Log log;
};

// Serves one connection to its end. Cancelled: running handlers have unwound when it has.
Task<void> serve_http1(ServerContext& server, Transport& transport, Peer peer);
Task<void> serve_http2(ServerContext& server, Transport& transport, Peer peer);

// Where read_now() of every connection puts its bytes before they are parsed: one buffer for the
// loop thread, valid until the next co_await.
std::span<char> scratch();

// "Sun, 06 Nov 1994 08:49:37 GMT"; made once per second.
const std::string& http_date(Clock& clock);

// The reason phrase of a status; never empty.
std::string_view status_text(int status);
// 1xx, 204 and 304 have none, whatever is said.
bool status_has_body(int status);

// A header that may go on the wire: no control characters in the value, a token as the name.
bool valid_header(std::string_view name, std::string_view value);

// Both directions of an exchange after an upgrade; make_pipe_stream() shows them as a Stream, which
// the exchange outlives. Errors: unavailable.
class BodyPipe {
 public:
  virtual ~BodyPipe() = default;
  virtual Task<Result<size_t>> pipe_read(std::span<char> out) = 0;
  virtual Task<Result<void>> pipe_write(std::string_view bytes) = 0;
  virtual Task<Result<void>> pipe_close() = 0;
};
std::unique_ptr<Stream> make_pipe_stream(BodyPipe& pipe);

}  // namespace kinglet::net
