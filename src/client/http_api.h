// An Api over HTTPS, one request per connection: for commands that ask a few questions and end.
// It does not watch: watch() answers method_not_allowed.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "client/api.h"
#include "net/client.h"

namespace kinglet::client {

struct HttpApiOptions {
  std::string server;  // "https://127.0.0.1:6443"
  net::ClientTls tls;
};
std::unique_ptr<Api> make_http_api(Clock& clock, HttpApiOptions options);

// The error that a Status body describes; `status` is the HTTP code of the answer that carried it.
Error error_of_status(int status, std::string_view body);

}  // namespace kinglet::client
