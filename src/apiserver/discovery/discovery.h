// Serves what tells clients what this server is: /api, /apis and below, /version, the list of paths
// at /.
#pragma once
#include <memory>
#include <string>

#include "apiserver/request_info.h"

namespace kinglet::apiserver {

struct DiscoveryOptions {
  std::string version;         // "v1.34.1+kinglet1"
  std::string server_address;  // "10.0.0.5:6443"
};
std::unique_ptr<Extension> make_discovery(DiscoveryOptions options);

}  // namespace kinglet::apiserver
