// One registry (or one mirror of it), as somebody with one set of credentials talks to it.
//
// Tokens are fetched when the registry asks for them and kept for the session. Loop only.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/task_fwd.h"
#include "net/download.h"
#include "node/runtime/registry_auth.h"
#include "node/runtime/registry_config.h"

namespace kinglet::runtime {

constexpr size_t kManifestBytesMax = 4 << 20;  // as registries limit it

class RegistrySession {
 public:
  // `clock` outlives it.
  RegistrySession(Clock& clock, RegistryEndpoint endpoint, std::string repository,
                  RegistryCredential credential, net::ProxySettings proxies, net::ClientTls tls);

  struct Document {
    std::string text, media_type,
        digest;  // the digest is of the text, unless only the head was asked for
  };
  // By tag or digest. Errors: not_found, unauthorized, unavailable, invalid (its digest is another
  // one).
  Task<Result<Document>> manifest(std::string reference);
  // Its digest and type alone; an empty digest: the registry does not tell.
  Task<Result<Document>> manifest_head(std::string reference);
  // A blob of at most kManifestBytesMax, checked. Errors: as above, too_large.
  Task<Result<std::string>> small_blob(std::string digest);

  // A blob into a file, which appears only once it is whole and checked. A part that an earlier
  // attempt left beside it
  // (<path>.part) is continued. `bytes`: -1 when the manifest does not say.
  Task<Result<void>> blob_to_file(std::string digest, int64_t bytes, std::string path);

  const RegistryEndpoint& endpoint() const { return endpoint_; }
  uint64_t bytes_received() const { return bytes_received_; }

 private:
  Task<Result<net::ClientResponse>> ask(std::string method, std::string path, net::Headers headers,
                                        net::DownloadSink* sink);
  Task<Result<net::ClientResponse>> ask_manifest(std::string method, std::string reference);
  Task<Result<void>> authorize(net::ClientResponse refused, std::string scope);
  net::DownloadRequest request_of(const std::string& method, const std::string& url) const;
  std::string url_of(const std::string& path) const;

  Clock& clock_;
  RegistryEndpoint endpoint_;
  std::string repository_;
  RegistryCredential credential_;
  net::ProxySettings proxies_;
  net::ClientTls tls_;
  std::string authorization_;  // what the registry has accepted
  uint64_t bytes_received_ = 0;
};

// Files of a TLS configuration, read. Errors: not_found, io.
Result<net::ClientTls> read_tls(const RegistryTls& tls);

}  // namespace kinglet::runtime
