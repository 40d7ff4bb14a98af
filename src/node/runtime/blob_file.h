// A blob that grows on disk and is hashed as it grows. Blocks on disk: for short-lived processes
// and tests.
#pragma once
#include <memory>
#include <string>

#include "net/crypto.h"
#include "net/download.h"
#include "node/runtime/unique_fd.h"

namespace kinglet::runtime {

class BlobFile final : public net::DownloadSink {
 public:
  // Takes up what is there (reading it again, for the hash); more than `bytes` (-1: not known) is
  // thrown away. Errors: io.
  static Result<std::unique_ptr<BlobFile>> open(const std::string& path, int64_t bytes);

  uint64_t size() const { return size_; }
  uint64_t received() const { return received_; }  // since it was opened

  // DownloadSink: an answer to a request for the rest, or for all of it.
  Result<bool> begin(int status, const net::Headers& headers) override;
  Result<void> write(std::string_view bytes) override;

  std::string finish();  // "sha256:<hex>" of all; nothing may be written after that
  Result<void> publish(const std::string& path);
  void discard();

 private:
  BlobFile(UniqueFd fd, std::string path, int64_t bytes);
  Result<void> take_up();
  Result<void> start_over();

  UniqueFd fd_;
  std::string path_;
  uint64_t size_max_;
  uint64_t size_ = 0, received_ = 0;
  std::unique_ptr<net::Sha256> hash_;
};

}  // namespace kinglet::runtime
