// From a registry to an OCI layout on disk, which image_import.h then unpacks. Runs in a
// short-lived process of its own: connections, CAs and buffers go with it.
//   <directory>/index.json, <directory>/blobs/sha256/<hex>[.part]
#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "net/download.h"
#include "node/runtime/image_manifest.h"
#include "node/runtime/registry_config.h"

namespace kinglet::runtime {

struct FetchRequest {
  std::string reference;  // in full: "docker.io/library/busybox:1.35"
  std::vector<RegistryCredential>
      credentials;              // tried in order; none: registries.yaml's, or nobody
  std::string registries_file;  // may be missing
  std::string directory;        // of the layout; parts of an earlier attempt may lie there
  std::string images_dir;       // layers that are unpacked there are not fetched
  std::vector<std::string>
      known_digests;  // when the reference leads to one of these, nothing is fetched
};
std::string print_fetch(const FetchRequest& request);  // JSON, for the process that does it
Result<FetchRequest> parse_fetch(std::string_view text);

struct Fetched {
  bool unchanged = false;  // it is one of the known digests
  uint64_t bytes = 0;      // that came from the registry
};
std::string print_fetched(const Fetched& fetched);
Result<Fetched> parse_fetched(std::string_view text);

// Errors: not_found (no such image), unauthorized, invalid (what it sends is not sound; no image
// for this machine), unavailable.
Task<Result<Fetched>> fetch_image(Clock& clock, FetchRequest request, net::ProxySettings proxies);

// Of an index's entries, the one for this machine: the newest variant that it runs. Null: none.
const IndexEntry* choose_platform(const std::vector<IndexEntry>& entries, const Platform& machine);

}  // namespace kinglet::runtime
