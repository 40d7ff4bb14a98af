// Reading a few members of canonical JSON text without building values: labels, uid, the selectable
// fields. The text is normally our own; damaged text gives "absent", never a crash.
#pragma once
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace kinglet::apiserver {

// Calls `member(name, raw value)` for each member of the object `text`, in order, until it returns
// false. The name is as written (escapes untouched), the value is the text between ':' and ',' or
// '}'.
void skim_members(std::string_view text,
                  const std::function<bool(std::string_view name, std::string_view value)>& member);

// The raw value at `path`; nullopt when a step is missing or no object.
std::optional<std::string_view> skim(std::string_view text,
                                     std::initializer_list<std::string_view> path);

// The value of a raw JSON scalar: strings unquoted and unescaped, others as they are written; ""
// for null.
std::string scalar_text(std::string_view raw);
// skim + scalar_text; "" when absent.
std::string skim_text(std::string_view text, std::initializer_list<std::string_view> path);

// Where the digits of metadata.resourceVersion are in canonical text: [begin, end). nullopt: there
// is none.
struct Span {
  size_t begin, end;
};
std::optional<Span> revision_digits(std::string_view text);

}  // namespace kinglet::apiserver
