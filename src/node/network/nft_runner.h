// NftRunner: applies nftables commands without blocking the loop and without keeping the memory that large texts need.
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"

namespace kinglet {
class Worker;
}

namespace kinglet::network {

class NftRunner {
 public:
  // `worker` is where nftables blocks; `command`: our own binary with the hidden command that ends in nft_apply_main(), for
  // large texts. Empty: always in this process.
  NftRunner(std::vector<std::string> command, Worker& worker, Clock& clock)
      : command_(std::move(command)), worker_(worker), clock_(clock) {}
  // All or none. Errors: as nft_apply(), timeout.
  Task<Result<void>> apply(std::string text);

 private:
  std::vector<std::string> command_;
  Worker& worker_;
  Clock& clock_;
};

}  // namespace kinglet::network
