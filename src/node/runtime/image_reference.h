// Image names as people write them, and in full. Source: distribution/reference (the grammar that Docker uses).
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace kinglet::runtime {

struct ImageReference {
  std::string repository;  // "docker.io/library/busybox"
  std::string tag;         // "latest"; empty with a digest alone
  std::string digest;      // "sha256:<hex>"; empty: none
  // What an index is keyed by: with the digest if there is one, else with the tag.
  std::string text() const { return digest.empty() ? repository + ":" + tag : repository + "@" + digest; }
};
// Errors: bad_request.
Result<ImageReference> parse_reference(std::string_view text);

bool is_sha256_digest(std::string_view text);   // "sha256:" and 64 lower-case hex digits
std::string_view hex_of(std::string_view digest);  // of such a digest

}  // namespace kinglet::runtime
