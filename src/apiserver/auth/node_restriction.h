// What a node writes about itself: the authoriser has let it write to an object, this looks at what
// it writes there. Upstream's NodeRestriction.
#pragma once
#include <memory>

#include "apiserver/hooks.h"

namespace kinglet::apiserver {

std::unique_ptr<AdmissionPlugin> make_node_restriction();

}  // namespace kinglet::apiserver
