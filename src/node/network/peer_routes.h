// PeerRoutes: keeps the ways to the other nodes' pods equal to what the Node objects say.
#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/worker.h"
#include "client/informer.h"
#include "node/network/overlay.h"

namespace kinglet::network {

// A node as its peers see it.
struct PeerNode : client::Object {
  static constexpr bool kWithoutRaw = true;
  static const schema::Resource& resource();
  static std::shared_ptr<PeerNode> decode(const json::Value& object);
  std::string pod_cidr;     // spec.podCIDR
  std::string address;      // the first IPv4 InternalIP
  bool lost = false;        // nothing was heard of it: Ready is Unknown
};

class PeerRoutes {
 public:
  virtual ~PeerRoutes() = default;
  // Until cancelled; the routes stay. Does not fail: what cannot be set is tried again.
  virtual Task<void> run(OverlayConfig config) = 0;
};
std::unique_ptr<PeerRoutes> make_peer_routes(client::Informer<PeerNode> nodes, Worker& worker, Clock& clock);

}  // namespace kinglet::network
