// nftables by its library, which is loaded when it is first needed: it is not part of a static binary.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"

namespace kinglet::network {

// Applies the commands, all or none, in the calling thread's network namespace. Blocking.
// Errors: unavailable (libnftables is not installed), invalid (with nft's own words).
Result<void> nft_apply(const std::string& text);

// The hidden command `kinglet apply-nftables`: reads the commands from stdin. 0, or 1 with a sentence on stderr.
int nft_apply_main(const std::vector<std::string>& args);

}  // namespace kinglet::network
