// The query parameters of writes, and the Warning headers of their answers.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/registry.h"
#include "json/json.h"
#include "net/http.h"

namespace kinglet::apiserver {

// dryRun, fieldValidation, fieldManager. `kind` names the options in errors: "CreateOptions".
// Errors: invalid.
Result<CreateOptions> create_options(const net::Request& request, std::string_view kind);
// Errors: unsupported_media_type.
Result<client::PatchType> patch_type(std::string_view content_type);
// A DeleteOptions object out of the query, for deletes without a body.
json::Value delete_query(const net::Request& request);
// `299 - "text"`, deduplicated, cut when there are too many.
std::vector<std::string> warning_headers(const std::vector<std::string>& warnings);

}  // namespace kinglet::apiserver
