// From a request's body to a checked object of the expected type, with the real server's
// complaints.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/registry.h"
#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::apiserver {

// How unknown and duplicate fields are treated, and where warnings go.
struct Strictness {
  FieldValidation validation;
  std::vector<std::string>& warnings;
  bool patched = false;  // the object is a patch's result: strict errors are worded for the patch
};

// Parses and decodes; defaults are applied. Errors: bad_request.
Result<json::Value> decode_body(const schema::Resource& resource, std::string_view body,
                                std::vector<std::string> duplicates, Strictness strictness);
// The same for a value that is already parsed.
Result<json::Value> decode_value(const schema::Resource& resource, const json::Value& value,
                                 const std::vector<std::string>& duplicates, Strictness strictness);
// The body of a subresource (Binding, Scale, Eviction): decoded as `type`, whose name is
// "core.v1.Binding". Errors: bad_request.
Result<json::Value> parse_kind(std::string_view body, std::string_view group_version,
                               std::string_view kind, std::string_view type);
// The same for a value that is already parsed.
Result<json::Value> decode_kind(const json::Value& value, std::string_view group_version,
                                std::string_view kind, std::string_view type);

// A stored object for changing. Errors: internal, when the stored bytes are damaged.
Result<json::Value> parse_stored(std::string_view text);

}  // namespace kinglet::apiserver
