// What a plain YAML 1.1 scalar means to Kubernetes' YAML reader.
#pragma once
#include <optional>
#include <string_view>

#include "json/json.h"

namespace kinglet::json {

// null, boolean, number or text. Nothing when JSON cannot hold it (.inf, .nan).
std::optional<Value> resolve_plain_scalar(std::string_view text);

}  // namespace kinglet::json
