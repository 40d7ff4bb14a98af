// Images as JSON: the index on disk, and what an unpacking child reports. Version 1.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "node/runtime/images.h"

namespace kinglet::runtime {

std::string print_images(const std::vector<Image>& images);
// Errors: invalid (damaged, or written by a newer version: says so).
Result<std::vector<Image>> parse_images(std::string_view text);

json::Array strings_to_json(const std::vector<std::string>& strings);
std::vector<std::string> strings_of(const json::Value& root, std::string_view member);

}  // namespace kinglet::runtime
