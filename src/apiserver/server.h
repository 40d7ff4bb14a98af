// The request path: authenticate, authorise, route; then the registry or an extension answers.
#pragma once
#include <memory>
#include <vector>

#include "apiserver/registry.h"
#include "apiserver/request_info.h"
#include "apiserver/user.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "net/http.h"

namespace kinglet::apiserver {

struct ServerParts {
  Registry& registry;
  Authenticator& authenticator;
  Authorizer& authorizer;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  std::vector<std::unique_ptr<Extension>> extensions;  // asked in order, before the registry
};
// The handler for net::listen. Holds references to the parts; they outlive it.
std::unique_ptr<net::Handler> make_handler(ServerParts parts);

constexpr size_t kBodyBytesMax = 3 << 20;  // 413 beyond, as upstream

}  // namespace kinglet::apiserver
