// Sends a container's log file to a client, and follows it through writes and rotations.
#pragma once
#include "base/clock.h"
#include "net/http.h"
#include "node/container_access.h"
#include "node/cri_log.h"

namespace kinglet::node {

struct LogTarget {
  std::string ns, pod, container;
};
// Answers the exchange: 200 and the text, or an error in kubectl's words. Following ends when the
// container has ended and all is sent, or the client leaves (cancellation).
Task<Result<void>> send_log(ContainerAccess& containers, Clock& clock, net::Exchange& exchange,
                            LogTarget target, LogOptions options);

}  // namespace kinglet::node
