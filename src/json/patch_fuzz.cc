// Patches: the input is "<document>\n<patch>". A failed patch leaves the document as it was; a
// merge patch applied twice is the same as once.
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  if (line == std::string_view::npos) return 0;
  const auto document = json::parse(input.substr(0, line));
  const auto patch = json::parse(input.substr(line + 1));
  if (!document || !patch) return 0;

  json::Value patched = *document;
  if (!json::apply_json_patch(patched, *patch)) {
    KL_ASSERT(patched == *document, "a failed patch changed the document");
  } else {
    KL_ASSERT(json::parse(json::print(patched)), "a patch made an unreadable document");
  }

  json::Value once = *document;
  json::apply_merge_patch(once, *patch);
  json::Value twice = once;
  json::apply_merge_patch(twice, *patch);
  KL_ASSERT(once == twice, "a merge patch is not idempotent");
  return 0;
}
