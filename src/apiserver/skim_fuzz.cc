// What the skimmer says about a document that parses is what the parser says.
#include "apiserver/internal/skim.h"
#include "apiserver/registry.h"
#include "json/json.h"

using namespace kinglet;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  apiserver::index_tags("core/pods/a/b", text);
  const auto value = json::parse(text);
  if (!value || !value->is_object()) return 0;
  const std::string canonical = json::print(*value);
  for (const auto& member : value->get_object()) {
    const std::string name = json::print(json::Value(member.key()));
    const auto raw =
        apiserver::skim(canonical, {std::string_view(name).substr(1, name.size() - 2)});
    KL_ASSERT(raw.has_value(), "the member is there");
    KL_ASSERT(*raw == json::print(member.value()), "the member's text is its value");
  }
  return 0;
}
