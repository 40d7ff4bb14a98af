// An empty patch changes nothing, and no directive reaches the result.
#include "schema/codec.h"
#include "schema/testing/small_types.h"

namespace json = kinglet::json;
using kinglet::schema::strategic_merge;

namespace {
bool has_directive(const json::Value& value) {
  if (value.is_array())
    return std::any_of(value.get_array().begin(), value.get_array().end(), has_directive);
  if (!value.is_object()) return false;
  for (const auto& [key, member] : value.get_object())
    if (std::string_view(key) == "$patch" || std::string_view(key) == "$retainKeys" ||
        has_directive(member))
      return true;
  return false;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t half = text.find('\n');
  if (half == std::string_view::npos) return 0;
  const auto original = json::parse(text.substr(0, half));
  const auto patch = json::parse(text.substr(half + 1));
  if (!original || !patch || !original->is_object() || has_directive(*original)) return 0;
  const auto& type = kinglet::schema::testing::small_pod();
  const auto same = strategic_merge(type, *original, json::Object());
  KL_ASSERT(same && *same == *original, "an empty patch changed something");
  const auto once = strategic_merge(type, *original, *patch);
  if (!once) return 0;
  KL_ASSERT(!has_directive(*once), "a directive leaked");
  return 0;
}
