// What a request means: its verb, resource, namespace and name, from method and path (http.md
// section 1).
#pragma once
#include <string>

#include "apiserver/user.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "json/json.h"
#include "net/http.h"
#include "schema/types.h"

namespace kinglet::apiserver {

struct RequestInfo {
  bool is_resource = false;
  std::string verb;  // as in Attributes; for non-resource requests the lower-case method
  std::string group, version, plural, subresource, ns, name;
  std::string rest;  // what follows the subresource: proxy paths, without leading '/'
  std::string path;
  std::string
      selected_name;  // list, watch, deletecollection: the one name that fieldSelector asks for
  const schema::Resource* resource = nullptr;  // null: not a resource that is served
  Attributes attributes() const;
};
RequestInfo request_info(const net::Request& request);

// A route that the generic registry does not serve: discovery, OpenAPI, health, logs, exec,
// reviews, token requests. The request is authenticated and authorised before it gets here.
class Extension {
 public:
  virtual ~Extension() = default;
  virtual bool serves(const RequestInfo& info) const = 0;
  virtual Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User& user) = 0;
};

// Writes `error` as a Status (JSON, or what Accept asks for) with its HTTP code and Retry-After.
Task<void> respond_error(net::Exchange& exchange, const Error& error);
json::Value status_object(const Error& error);

}  // namespace kinglet::apiserver
