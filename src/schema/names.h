// The rarer name syntaxes; values.h has the common ones. Each returns upstream's messages, none
// when valid.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::schema {

constexpr size_t kPortNameMax = 15;

std::vector<std::string> dns1123_wildcard_errors(std::string_view text);  // *.example.com
std::vector<std::string> config_key_errors(
    std::string_view text);  // keys of ConfigMaps and Secrets
std::vector<std::string> env_name_errors(std::string_view text);
std::vector<std::string> port_name_errors(std::string_view text);  // IANA service names
std::vector<std::string> port_number_errors(int64_t port);
std::vector<std::string> path_segment_errors(std::string_view text);  // names of RBAC objects
std::vector<std::string> percent_errors(std::string_view text);       // "25%"

}  // namespace kinglet::schema
