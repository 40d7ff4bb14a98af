// Images: content-addressed, imported from archives, unpacked once per layer.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/task_fwd.h"
#include "node/runtime/registry_config.h"

namespace kinglet::runtime {

// What an image says about the container to be made of it. Source: OCI image-spec, config.md.
struct ImageConfig {
  std::vector<std::string> entrypoint, cmd;
  std::vector<std::string> env;  // "K=V"
  std::string working_dir;
  std::string user;         // "", "name", "uid", "uid:gid", "name:group"
  std::string stop_signal;  // "", "SIGTERM", "15"
  std::vector<std::string> volumes;
  std::string os, architecture, variant;
};

struct Image {
  std::string id;                       // "sha256:<hex>" of its configuration
  std::vector<std::string> tags;        // normalised: "docker.io/library/busybox:1.35"
  std::vector<std::string> digests;     // "docker.io/library/busybox@sha256:<hex>" of its manifest
  std::vector<std::string> layers;      // diff ids "sha256:<hex>", lowest first
  uint64_t size_bytes = 0;              // unpacked
  ImageConfig config;
  bool pinned = false;  // came from an archive: no registry can give it again, so that no collection takes it
};

// "busybox" -> "docker.io/library/busybox:latest"; with a digest the tag is dropped. Source: distribution/reference.
// Errors: bad_request ("invalid reference format").
Result<std::string> normalize_reference(const std::string& reference);

// What to bring from a registry. Sources are registries.yaml and the registry that the name begins with.
struct PullRequest {
  std::string reference;  // normalised here
  std::vector<RegistryCredential> credentials;
  bool only_if_changed = true;  // ask the registry first whether what is here is still what the name leads to
};
struct Pulled {
  Image image;
  bool unchanged = false;       // it was here already
  uint64_t bytes_received = 0;
};

struct ImageGc {
  int images = 0, layers = 0;
};

// Loop only. Imports, removals and collections wait for each other.
class Images {
 public:
  virtual ~Images() = default;
  // A docker-archive or an OCI layout in a tar (plain or compressed). All or nothing: a damaged archive leaves no
  // image and no layer behind. Errors: invalid (what is wrong with it), not_found (no such file), io.
  virtual Task<Result<std::vector<Image>>> import_archive(std::string path) = 0;
  // From its registry. What was fetched of a pull that failed is kept for the next one. Errors: bad_request (the name),
  // not_found, unauthorized, invalid (no image for this machine, damaged), unavailable.
  virtual Task<Result<Pulled>> pull(PullRequest request) = 0;
  virtual std::vector<Image> list() const = 0;
  // By reference (normalised here), "sha256:" id or a unique prefix of one. Errors: not_found, bad_request.
  virtual Result<Image> find(const std::string& reference) const = 0;
  // Takes a tag away, or the image when it is given by id or this was its last tag. Layers go with the next collection.
  // Errors: not_found; conflict (a container uses it).
  virtual Task<Result<void>> remove(std::string reference) = 0;
  // Removes what no image refers to; with `unused_images` also the images that no container uses.
  virtual Task<Result<ImageGc>> collect(bool unused_images) = 0;
  // Removes images that no container uses and a registry can give again, the oldest first, until so much is free.
  virtual Task<Result<ImageGc>> free_space(uint64_t bytes) = 0;
};

}  // namespace kinglet::runtime
