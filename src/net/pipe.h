// A byte stream within the process: what one end writes the other reads.
//
// Each direction holds at most kPipeBytesMax; write() waits while the other end reads no faster. An
// end may be destroyed while the other is in use: reading then ends, writing fails with
// `unavailable`. Loop only.
#pragma once
#include <memory>
#include <utility>

#include "net/http.h"

namespace kinglet::net {

constexpr size_t kPipeBytesMax = 64 << 10;

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe();

// Copies until `from` ends; then ends `to` as well. Errors: of either.
Task<Result<void>> copy_stream(Stream& from, Stream& to);
// Both ways until both have ended, or one fails.
Task<Result<void>> join_streams(Stream& a, Stream& b);

}  // namespace kinglet::net
