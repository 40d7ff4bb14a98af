// The discovery documents, built from the catalogue. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "json/json.h"

namespace kinglet::apiserver {

json::Value api_versions_document(std::string_view server_address);     // GET /api; "10.0.0.5:6443"
json::Value api_groups_document();                                      // GET /apis
std::optional<json::Value> api_group_document(std::string_view group);  // GET /apis/<g>
// GET /api/v1, /apis/<g>/<v>; nullopt: not served.
std::optional<json::Value> api_resources_document(std::string_view group, std::string_view version);
// GET /api (core) or /apis with as=APIGroupDiscoveryList.
enum class GroupSet : uint8_t { core, named };
json::Value aggregated_document(GroupSet set, std::string_view version);
json::Value version_document(std::string_view version);  // GET /version of "v1.34.1+kinglet1"

// The version ("v2", "v2beta1") of the aggregated form when the client likes that best; nullopt:
// the plain form.
std::optional<std::string> wants_aggregated(std::string_view accept);

}  // namespace kinglet::apiserver
