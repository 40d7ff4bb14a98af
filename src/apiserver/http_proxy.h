// pods/proxy and services/proxy: plain HTTP to a pod's address, for looking into the cluster from
// outside. Answers are read whole (16 MiB at most) and upgrades are refused.
#pragma once
#include <memory>
#include <string>

#include "apiserver/hooks.h"
#include "apiserver/request_info.h"
#include "base/clock.h"
#include "base/random.h"

namespace kinglet::apiserver {

// The parts outlive the extension.
std::unique_ptr<Extension> make_http_proxy(const Reader& reader, Clock& clock, Random& random);

// The URL that a request is forwarded to. Errors: not_found, bad_request, service_unavailable (no
// endpoint).
Result<std::string> proxy_url(const Reader& reader, Random& random, const RequestInfo& info,
                              const net::Request& request);
// Whether a pod's address may be connected to: a node writes it, and must not thereby make the
// server talk to itself.
bool proxyable_address(const std::string& address);

}  // namespace kinglet::apiserver
