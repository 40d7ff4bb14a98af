// The kernel's side of the pod network between nodes. Blocking; keeps no state: the kernel does.
#pragma once
#include "base/result.h"
#include "node/network/overlay.h"

namespace kinglet::network {

// What of ours is there, made by this process or one before it.
Result<OverlayState> read_overlay(const OverlayConfig& config);
// Makes the kernel's state equal to `wanted`, changing only what differs. The device appears with the first peer.
// Errors: unavailable (the kernel has no VXLAN), io. What could be done is done: a route that the kernel refuses (host-gw
// to a node on another link) does not keep the others from being set.
Result<void> apply_overlay(const OverlayConfig& config, const OverlayState& wanted);
Result<void> remove_overlay(const OverlayConfig& config);  // idempotent

}  // namespace kinglet::network
