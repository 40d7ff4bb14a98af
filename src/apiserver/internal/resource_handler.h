// One request about a resource that the registry serves: reads the parameters, calls the registry,
// renders the answer.
#pragma once
#include "apiserver/internal/render.h"
#include "apiserver/registry.h"
#include "apiserver/request_info.h"
#include "net/http.h"

namespace kinglet::apiserver {

struct Serving {
  Registry& registry;
  Clock& clock;
  Random& random;
};

// Everything that is not a long-running request ends by then, as upstream's --request-timeout.
constexpr Duration kRequestTimeout = std::chrono::seconds(60);

// Answers; an error that is returned has not been answered yet.
Task<Result<void>> serve_resource(Serving serving, net::Exchange& exchange, const RequestInfo& info,
                                  const User& user);

// A watch, until it times out, falls behind or the peer goes (watch_stream.cc).
Task<Result<void>> serve_watch(Serving serving, net::Exchange& exchange, const RequestInfo& info);

// The renderer of a request, with its transform parameters checked. Errors: not_acceptable,
// bad_request.
Result<Renderer> renderer_for(Serving serving, const net::Request& request,
                              const schema::Resource& resource, Offers offers);
// Namespace of an object's key: "" for cluster-scoped kinds, whatever the path says.
std::string object_namespace(const RequestInfo& info);

}  // namespace kinglet::apiserver
