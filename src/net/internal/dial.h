// Outgoing connections: what fetch(), the tests and later the tunnel begin with.
#pragma once
#include "net/client.h"
#include "net/internal/transport.h"

namespace kinglet::net {

struct Url {
  bool tls = false;
  std::string host;  // no brackets
  uint16_t port = 0;
  std::string target;  // path and query, at least "/"
};
// http:// and https:// only. Errors: bad_request.
Result<Url> parse_url(const std::string& url);
std::string host_header(const Url& url);

// Connects and ends the handshake. `alpn`: one protocol, or empty. Errors: unavailable,
// unauthorized, invalid.
Task<Result<std::unique_ptr<Transport>>> dial(Clock& clock, std::string host, uint16_t port,
                                              const ClientTls* tls, std::string alpn);

// TCP alone, to the first of the host's addresses that answers. Errors: unavailable.
Task<Result<boost::asio::ip::tcp::socket>> connect_tcp(std::string host, uint16_t port);

// A connection as a Stream, beginning with `first` (bytes that were read too far).
std::unique_ptr<Stream> make_transport_stream(std::unique_ptr<Transport> transport,
                                              std::string first);

}  // namespace kinglet::net
