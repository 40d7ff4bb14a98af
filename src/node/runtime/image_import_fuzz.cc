// Foreign image archives. Property: whatever the bytes, planning either refuses or names only layers that are in the
// archive, with digests and references that are well formed; and what it accepts once it accepts in the same way again.
#include <cstdint>
#include <string_view>

#include "node/runtime/image_import.h"
#include "node/runtime/image_record.h"
#include "node/runtime/image_reference.h"

namespace {
using namespace kinglet;
using namespace kinglet::runtime;

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}
  Result<std::string_view> next() override {
    constexpr size_t kPiece = 1000;  // odd, so that headers are split
    const auto piece = bytes_.substr(0, kPiece);
    bytes_.remove_prefix(piece.size());
    return piece;
  }

 private:
  std::string_view bytes_;
};

void check(const ArchiveContents& contents) {
  const auto plan = plan_import(contents, this_platform());
  if (!plan) return;
  std::vector<Image> images;
  for (const auto& planned : *plan) {
    KL_ASSERT(is_sha256_digest(planned.image.id), "an id that is none");
    KL_ASSERT(planned.layers.size() == planned.image.layers.size(), "layers without diff ids");
    for (const auto& layer : planned.layers) {
      KL_ASSERT(contents.files.contains(layer.path), "a layer that is not there");
      KL_ASSERT(is_sha256_digest(layer.diff_id), "a diff id that is none");
    }
    for (const auto& tag : planned.image.tags)
      KL_ASSERT(normalize_reference(tag).has_value() && *normalize_reference(tag) == tag, "a tag not in full");
    images.push_back(planned.image);
  }
  const auto again = parse_images(print_images(images));
  KL_ASSERT(again && print_images(*again) == print_images(images), "the index changes what it keeps");
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    MemorySource source(bytes);
    const auto contents = read_contents(source);
    if (contents) check(*contents);
    return 0;
  }
  // The documents alone, which a mutated tar would rarely reach: NUL-separated.
  ArchiveContents contents;
  const size_t first = bytes.find('\0');
  const auto manifest = bytes.substr(0, first);
  const auto config = first == std::string_view::npos ? std::string_view() : bytes.substr(first + 1);
  contents.documents["manifest.json"] = manifest;
  contents.documents["c.json"] = config;
  contents.files["l.tar"] = 1;
  contents.links["m.tar"] = "l.tar";
  check(contents);
  contents.documents["index.json"] = contents.documents["manifest.json"];
  contents.documents.erase("manifest.json");
  check(contents);
  return 0;
}
