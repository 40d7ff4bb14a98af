// Field selectors: "status.phase=Running,spec.nodeName!=n1".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::schema {

struct FieldRequirement {
  std::string field;
  std::string value;
  bool equal = true;  // false: !=
  bool operator==(const FieldRequirement&) const = default;
};

// Splits at commas; `\\`, `\,` and `\=` stand for themselves in values. Which fields a kind can
// select by is the caller's to know. Errors: bad_request, upstream's text.
Result<std::vector<FieldRequirement>> parse_field_selector(std::string_view text);

}  // namespace kinglet::schema
