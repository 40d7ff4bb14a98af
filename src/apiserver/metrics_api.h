// metrics.k8s.io: what nodes and pods use just now, asked of the nodes when somebody asks here.
// Nothing is stored. Source: metrics-server's API, as `kubectl top` and the autoscaler use it.
#pragma once
#include <memory>

#include "apiserver/hooks.h"
#include "apiserver/request_info.h"
#include "base/clock.h"
#include "client/node_endpoint.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_metrics_api(const Reader& reader, client::NodeEndpoints& nodes,
                                            Clock& clock);

// From a kubelet's /stats/summary (another machine's bytes: what is not as expected is left out).
// Pure.
json::Value node_metrics(const json::Value& summary, const json::Value& node,
                         const std::string& now);
json::Value pod_metrics(const json::Value& pod_summary, const json::Value& pod,
                        const std::string& now);

}  // namespace kinglet::apiserver
