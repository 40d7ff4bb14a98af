// The canonical form of single values: what a field of each kind accepts and how it is kept.
#pragma once
#include <optional>
#include <string>

#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::schema {

// What Go's JSON decoder calls a value in its messages: "string", "number", "object", ...
std::string_view json_kind_name(const json::Value& value);
// The Go type of a field or of one element of it: "[]v1.Container", "int32".
std::string go_type_of(const Field& field);
std::string go_element_type_of(const Field& field);

// A value of a kind other than object. `mismatch`: the value has the wrong JSON type, and the
// caller, who knows the field's path, says so. Errors: bad_request, the text itself is wrong (not a
// time, not base64, ...).
struct Scalar {
  bool mismatch = false;
  std::string found;  // of a mismatch, when json_kind_name does not say it all: "number 1.5"
  std::string wanted;
  json::Value value;
};
Result<Scalar> canonical_scalar(const Field& field, const json::Value& value);

// Unset as far as a field without pointer is concerned: "", 0, false, [], {}, null.
bool is_zero(const Field& field, const json::Value& value);
// What a null element of a list or map stands for.
json::Value zero_of(const Field& field);

// Go's time.Duration text ("1m30s") and nanoseconds.
std::optional<int64_t> parse_go_duration(std::string_view text);
std::string print_go_duration(int64_t nanoseconds);

}  // namespace kinglet::schema
