// The heads of a request to a node and of its answer, as JSON in one frame.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace kinglet::tunnel {

// What travels of a request: method, target and headers. Errors of encoding: too_large (it does not
// fit a frame).
Result<std::string> encode_request(const net::Request& request);
// Errors: bad_request.
Result<net::Request> decode_request(std::string_view text);

struct Answer {
  enum class How : uint8_t {
    whole,      // the body is short and follows at once
    stream,     // the body comes as it is made
    websocket,  // messages both ways
    upgrade,    // bytes both ways
  };
  How how = How::whole;
  int status = 200;
  net::Headers headers;
  std::string protocol;  // of the WebSocket
};
Result<std::string> encode_answer(const Answer& answer);
Result<Answer> decode_answer(std::string_view text);

}  // namespace kinglet::tunnel
