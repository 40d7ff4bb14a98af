// A manifest from the node's disk: what is taken is a pod of this node whose names are safe as
// parts of paths.
#include <cstddef>
#include <cstdint>

#include "node/static_pods.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::node;
  const auto pod =
      parse_static_pod(std::string(reinterpret_cast<const char*>(data), size), "node-1");
  if (!pod) return 0;
  for (const auto& name : {pod->metadata.name, pod->metadata.namespace_, pod->metadata.uid})
    KL_ASSERT(!name.empty() && name.find('/') == std::string::npos && name[0] != '.',
              "a name that leads elsewhere");
  KL_ASSERT(is_static(*pod) && !is_static(mirror_of(*pod, "u")) && pod->spec.nodeName == "node-1");
  return 0;
}
