// Objects that are asked and answered but never stored: reviews and token requests.
#pragma once
#include <string_view>

#include "base/result.h"
#include "base/task_fwd.h"
#include "json/json.h"
#include "net/http.h"

namespace kinglet::apiserver {

// The request's body as an object of that kind, in canonical form. `type` is the row of the type
// tables
// ("authentication.v1.TokenReview"). Errors: of reading and decoding a body.
Task<Result<json::Value>> read_virtual(net::Exchange& exchange, std::string_view group_version,
                                       std::string_view kind, std::string_view type);
// Answers with the object in the encoding that the client accepts.
Task<void> respond_virtual(net::Exchange& exchange, int status, json::Value object);
// The plain text that clients get for a path that nobody serves.
Task<void> respond_page_not_found(net::Exchange& exchange);

}  // namespace kinglet::apiserver
