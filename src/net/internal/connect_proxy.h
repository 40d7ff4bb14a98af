// HTTP CONNECT: a TCP connection through a proxy (RFC 9110, 9.3.6), with basic authentication.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "base/task_fwd.h"
#include "net/internal/dial.h"

namespace kinglet::net {

struct ProxyAddress {
  std::string host;
  uint16_t port = 0;
  std::string credentials;  // "user:password", percent-decoded; empty: none
};
// http://[user:password@]host:port; the scheme may be left out. Errors: bad_request, without the
// password.
Result<ProxyAddress> parse_proxy(const std::string& text);

std::string connect_request(const ProxyAddress& proxy, const std::string& host, uint16_t port);
// What the proxy's answer means. Errors: unauthorized (407), unavailable (anything but 2xx).
Result<void> check_connect_answer(int status);

// Asks the proxy at the other end of `socket` to connect it to host:port. Errors: as above, and
// unavailable when it answers no HTTP.
Task<Result<void>> connect_through(boost::asio::ip::tcp::socket& socket, ProxyAddress proxy,
                                   std::string host, uint16_t port);

}  // namespace kinglet::net
