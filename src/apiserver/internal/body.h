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
// Parses the body of a subresource such as Binding: checks that it is an object of that kind,
// nothing else.
Result<json::Value> parse_kind(std::string_view body, std::string_view group_version,
                               std::string_view kind);

}  // namespace kinglet::apiserver
