// The objects that every cluster starts with: namespaces, priority classes, RBAC, the kubernetes
// Service.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/registry.h"
#include "base/task_fwd.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::apiserver {

struct BootstrapObject {
  const schema::Resource* resource;
  std::string ns, name;
  json::Value object;
};
// What must be there, in two steps: namespaces, then the rest.
std::vector<BootstrapObject> bootstrap_namespaces();
std::vector<BootstrapObject> bootstrap_objects();
// What to write over `stored` so that it grants at least what `wanted` does; nullopt: nothing.
// People may add rules and subjects, and switch this off with the annotation
// rbac.authorization.kubernetes.io/autoupdate: "false". A binding to another role cannot be mended
// so and is left alone.
std::optional<json::Value> reconcile_rbac(const json::Value& stored, const json::Value& wanted);

struct ApiAddress {
  std::string service_ip = "10.43.0.1";  // the kubernetes Service's
  std::string
      address;  // where this server listens, as pods and nodes reach it; empty: not known yet
  uint16_t port = 6443;
};
// Creates what is missing and mends what grants too little. Idempotent; called before the server
// says it is ready. Errors: of the registry, with the object's name.
Task<Result<void>> bootstrap_cluster(Registry& registry, ApiAddress api);
// Points Endpoints and EndpointSlice of the kubernetes Service to the address; writes only when it
// differs. Called by bootstrap_cluster, and again when the machine's address changes.
Task<Result<void>> publish_api_address(Registry& registry, ApiAddress api);

// The server itself, as admission and authorisation see it.
User server_user();

}  // namespace kinglet::apiserver
