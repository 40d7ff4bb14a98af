// What a WebSocket request offers.
#pragma once
#include <string>
#include <vector>

#include "net/http.h"

namespace kinglet::net {

// The names in its "Sec-WebSocket-Protocol" headers, in the client's order.
std::vector<std::string> offered_protocols(const Request& request);

}  // namespace kinglet::net
