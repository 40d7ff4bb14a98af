// Everything that the server answers beside the registry, in the order in which it is asked.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "apiserver/auth/service_account_tokens.h"
#include "apiserver/discovery/health.h"
#include "apiserver/hooks.h"
#include "apiserver/request_info.h"
#include "apiserver/user.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "client/node_endpoint.h"

namespace kinglet::apiserver {

// References outlive the extensions.
struct ExtensionParts {
  const Reader& reader;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  Authenticator& authenticator;
  const Authorizer& authorizer;
  ServiceAccountTokens& tokens;
  const HealthChecks& health;
  client::NodeEndpoints& nodes;
  std::string version;         // "v1.34.1+kinglet1"
  std::string server_address;  // "10.0.0.5:6443"
  std::string server_ca_pem;
};
std::vector<std::unique_ptr<Extension>> make_extensions(ExtensionParts parts);

}  // namespace kinglet::apiserver
