// An answer that may be long: small ones go out whole with their length, long ones in chunks as
// they are made, so that a list of any size costs one chunk of memory. Compresses long answers when
// the client takes gzip.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task_fwd.h"
#include "net/http.h"

namespace kinglet::apiserver {

// Upstream compresses from here on; it is also the size of a chunk.
constexpr size_t kChunkBytes = 128 << 10;

class BodyWriter {
 public:
  BodyWriter(net::Exchange& exchange, int status, net::Headers headers, bool gzip);
  ~BodyWriter();
  // What is appended here goes out with the next flush.
  std::string& buffer() { return buffer_; }
  bool full() const { return buffer_.size() >= kChunkBytes; }
  // Sends what is there as a chunk. Errors: the peer's.
  Task<Result<void>> flush();
  Task<Result<void>> finish();

 private:
  struct Gzip;
  Bytes take(bool last);
  net::Exchange& exchange_;
  int status_;
  net::Headers headers_;
  bool gzip_wanted_;
  bool started_ = false;
  std::string buffer_;
  std::unique_ptr<Gzip> gzip_;
};

// One whole answer, compressed if it is long and the client takes it.
Task<Result<void>> respond_bytes(net::Exchange& exchange, int status, net::Headers headers,
                                 std::vector<Bytes> body, bool gzip);

Task<Result<void>> respond_bytes(net::Exchange& exchange, int status, net::Headers headers,
                                 Bytes body, bool gzip);

}  // namespace kinglet::apiserver
