// Requests whose answers are larger than memory, go through proxies or are redirected to other
// hosts: image registries.
#pragma once
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "net/client.h"
#include "net/http.h"

namespace kinglet::net {

// Which proxy to use for what. Source: the environment variables that curl, Go and containerd
// honour.
struct ProxySettings {
  std::string http, https;  // "http://[user:password@]host:port"; empty: none
  std::string
      none;  // NO_PROXY: hosts, ".domains", addresses, CIDRs, "host:port", "*"; commas between
};
// HTTP_PROXY, HTTPS_PROXY and NO_PROXY; the lower-case names count where the others are not set.
ProxySettings proxies_of_environment(std::string (*env)(const std::string&));
// The proxy for a URL; empty: direct. Loopback addresses never go through a proxy.
std::string proxy_for(const ProxySettings& settings, const std::string& url);

struct DownloadRequest {
  std::string method = "GET";
  std::string url;
  // Authorization is left out once a redirect leads to another host.
  Headers headers;
  std::string body;
  ClientTls tls;  // for the first host; others are verified against the system's CAs
  ProxySettings proxies;
  Duration stall_timeout = std::chrono::seconds(60);  // no byte for so long, in either direction
  size_t body_bytes_max = 4 << 20;                    // of an answer that is kept in memory
};

// Where a large body goes.
class DownloadSink {
 public:
  virtual ~DownloadSink() = default;
  // The head of the final answer (not of a redirect). False: keep its body in memory (an error
  // page).
  virtual Result<bool> begin(int status, const Headers& headers) = 0;
  virtual Result<void> write(std::string_view bytes) = 0;
};

// `sink` may be null and outlives the task. Errors: unavailable (cannot connect, cut off), timeout
// (stalled), too_large, bad_request (URL), unauthorized (certificate), or the sink's own.
Task<Result<ClientResponse>> download(Clock& clock, DownloadRequest request, DownloadSink* sink);

}  // namespace kinglet::net
