// Who asks, and may they: the seam between the request path and its authenticators and authorisers.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task_fwd.h"
#include "json/json.h"
#include "net/http.h"

namespace kinglet::apiserver {

struct User {
  std::string name, uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;
  bool in_group(std::string_view group) const;
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Errors: unauthorized. An anonymous request is User system:anonymous when that is allowed.
  virtual Task<Result<User>> authenticate(const net::Request& request) = 0;
  // For TokenReview and for WebSocket bearer protocols.
  virtual Task<Result<User>> authenticate_token(std::string token,
                                                std::vector<std::string> audiences) = 0;
};

// What is asked for. Resource requests fill group..name; the others only verb and path.
struct Attributes {
  std::string
      verb;  // get, list, watch, create, update, patch, delete, deletecollection, impersonate...
  std::string group, version, resource, subresource, ns, name;
  std::string path;
  bool is_resource = true;
};
struct Decision {
  bool allowed = false;
  std::string reason;  // "RBAC: allowed by ClusterRoleBinding ..."
};
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // Reads caches only; never waits.
  virtual Decision authorize(const User& user, const Attributes& attributes) const = 0;
  // The rules that apply to the user in a namespace: {resourceRules, nonResourceRules} of
  // SelfSubjectRulesReview.
  virtual json::Value rules_for(const User& user, std::string_view ns) const = 0;
};

// The message of a 403, upstream's words:
//   pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace
//   "ns"
Error forbidden(const User& user, const Attributes& attributes, const std::string& reason);

}  // namespace kinglet::apiserver
