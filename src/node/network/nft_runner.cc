#include "node/network/nft_runner.h"

#include "base/deadline.h"
#include "base/process.h"
#include "base/task.h"
#include "base/worker.h"
#include "node/network/nft_apply.h"

namespace kinglet::network {
namespace {
// Longer texts are parsed in a child: libnftables would keep the memory.
constexpr size_t kInProcessTextMax = 16 << 10;
constexpr Duration kChildLimit = std::chrono::seconds(60);
}  // namespace

Task<Result<void>> NftRunner::apply(std::string text) {
  if (text.size() <= kInProcessTextMax || command_.empty()) {
    std::function<Result<void>()> job = [text = std::move(text)] { return nft_apply(text); };
    co_return co_await worker_.run<Result<void>>(std::move(job));
  }
  Command command;
  command.argv = command_;
  command.input = std::move(text);
  Task<Result<Exit>> child = run_process(std::move(command));
  Task<Result<Exit>> limited = with_deadline(clock_, kChildLimit, std::move(child));
  KL_TRY(exit, co_await std::move(limited), "nftables in a child");
  if (exit.code != 0) co_return Error(Code::unavailable, "{}", exit.err);
  co_return Result<void>();
}

}  // namespace kinglet::network
