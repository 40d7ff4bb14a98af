// The Images of this machine: an index (JSON, one file), and layers unpacked once each.
//   <dir>/index.json            the images (image_record.h)
//   <dir>/layers/<hex>/fs       a layer's files, in overlayfs' form; <hex> is its diff id
//   <dir>/layers/<hex>/layer.json
//   <dir>/downloads/<16 hex>    what a pull has fetched so far: an OCI layout (image_fetch.h)
//   <dir>/l/<16 hex>            short names for the above: mount(2) takes one page of options
#pragma once
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "node/runtime/images.h"

namespace kinglet::runtime {

class ImageStore : public Images {
 public:
  // Reads the index and removes unfinished layers. Errors: invalid (damaged or newer index), io.
  virtual Result<void> open() = 0;
};

struct ImageStoreOptions {
  std::string directory;
  std::vector<std::string> unpack_command;  // as in RuntimeOptions
  std::function<std::set<std::string>()> used_images;  // ids that containers were made of
  // Our own binary with the hidden command that reads a FetchRequest and runs fetch_image(); empty: no pulls.
  std::vector<std::string> fetch_command = {};
  std::string registries_file = {};
};
std::unique_ptr<ImageStore> make_image_store(ImageStoreOptions options);

// The name of a layer below <dir>/l, made if it is missing.
Result<std::string> short_layer_name(const std::string& images_dir, const std::string& diff_id);

// Pure halves, for tests. After `added`: tags move to the newest image that claims them.
std::vector<Image> merge_images(std::vector<Image> images, const std::vector<Image>& added);
// Drops images that nothing names (or, with `unused`, that nothing uses) and that are not in `used`.
std::vector<Image> sweep_images(std::vector<Image> images, const std::set<std::string>& used, bool unused);

// What free_space() leaves.
std::vector<Image> without_oldest_unused(std::vector<Image> images, const std::set<std::string>& used, uint64_t bytes);

}  // namespace kinglet::runtime
