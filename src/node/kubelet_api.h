// The kubelet's streaming API: what `kubectl logs`, `exec`, `attach` and `port-forward` end at.
//
//   GET  /containerLogs/<ns>/<pod>/<container>   follow, previous, tailLines, sinceSeconds,
//   sinceTime, timestamps,
//                                                limitBytes
//   GET  /exec/<ns>/<pod>/<container>            WebSocket, *.channel.k8s.io: command (repeated),
//   input, output,
//                                                error, tty; the API server's names stdin, stdout,
//                                                stderr too
//   GET  /attach/<ns>/<pod>/<container>          the same without command
//   GET  /portForward/<ns>/<pod>                 WebSocket, SPDY/3.1+portforward.k8s.io; or an
//   upgrade to SPDY/3.1
//
// The pod's uid may stand before the container. The caller has authorised the request. Other paths
// get 404.
#pragma once
#include <memory>

#include "base/clock.h"
#include "net/http.h"
#include "node/container_access.h"

namespace kinglet::node {

// Both outlive the handler.
std::unique_ptr<net::Handler> make_kubelet_api(ContainerAccess& containers, Clock& clock);

}  // namespace kinglet::node
