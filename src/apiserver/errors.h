// The Status errors that many handlers give, in upstream's words (http.md of the API facts;
// k8s.io/apimachinery api/errors). Each fills the details that clients look at.
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::apiserver {

// `pods "web" not found`
Error not_found_error(const schema::Resource& resource, std::string_view name);
// `pods "web" already exists`
Error already_exists_error(const schema::Resource& resource, std::string_view name);
// `Operation cannot be fulfilled on pods "web": <detail>`; without detail: the object has been
// modified...
Error conflict_error(const schema::Resource& resource, std::string_view name,
                     std::string_view detail = {});
// `pods "web" is forbidden: <detail>`
Error forbidden_error(const schema::Resource& resource, std::string_view name,
                      std::string_view detail);
// `Internal error occurred: <detail>`
Error internal_error(std::string_view detail);
// `create is not supported on resources of kind "pods"`
Error method_not_supported(const schema::Resource& resource, std::string_view action);

// `pods "web" is invalid` is schema::invalid_error.

// {"kind":"Status",...,"status":"Success"}; `code` 0 leaves the code out.
json::Value success_status(int code = 0);

}  // namespace kinglet::apiserver
