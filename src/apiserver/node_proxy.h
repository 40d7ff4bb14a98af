// pods/log, exec, attach, portforward and nodes/proxy: the request is rewritten to the kubelet's
// form and handed to the node that runs the pod.
#pragma once
#include <memory>
#include <string>

#include "apiserver/hooks.h"
#include "apiserver/request_info.h"
#include "client/node_endpoint.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_node_proxy(const Reader& reader, client::NodeEndpoints& nodes);

// Where a request goes. Pure but for reading the pod. Errors: not_found, bad_request, invalid in
// upstream's words.
struct NodeCall {
  std::string node;    // empty: the pod has no node yet, and its log is empty
  std::string target;  // path and query for the kubelet
};
Result<NodeCall> plan_node_call(const Reader& reader, const RequestInfo& info,
                                const net::Request& request);

// What must not travel on: credentials and whose behalf it was.
void strip_credentials(net::Headers& headers);
// Percent-encodes all but unreserved characters; `keep` are left alone too.
std::string percent_encode(std::string_view text, std::string_view keep = {});
// "[scheme:]name[:port]" of a proxied object.
struct ProxyName {
  std::string scheme, name, port;
};
ProxyName split_proxy_name(std::string_view text);
// The query of a target as it was sent, with its '?'; empty when there is none.
std::string_view raw_query(std::string_view target);

}  // namespace kinglet::apiserver
