// WebSocket frames of a client. Whatever they are, the socket ends when the bytes do, and no
// message is too large.
#include <boost/asio/io_context.hpp>
#include <cstring>

#include "base/testing.h"
#include "net/internal/websocket.h"

using namespace kinglet;
using namespace kinglet::net;

namespace {
class BytesStream final : public Stream {
 public:
  BytesStream(std::string_view bytes, size_t step) : bytes_(bytes), step_(step) {}
  Task<Result<size_t>> read(std::span<char> out) override {
    const size_t taken = std::min({out.size(), bytes_.size(), step_});
    std::memcpy(out.data(), bytes_.data(), taken);
    bytes_.remove_prefix(taken);
    co_return taken;
  }
  Task<Result<void>> write(std::string_view) override { co_return Result<void>(); }
  Task<Result<void>> close_write() override { co_return Result<void>(); }

 private:
  std::string_view bytes_;
  const size_t step_;
};

Task<std::string> read_all(std::unique_ptr<Stream> stream) {
  const std::string no_protocol;
  auto socket = make_websocket(std::move(stream), no_protocol);
  std::string all;
  for (;;) {
    auto message = co_await socket->read();
    if (!message || !*message) break;
    KL_ASSERT((*message)->data.size() <= kWebSocketMessageBytesMax, "too large");
    all += (*message)->data + "|";
  }
  co_return all;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  boost::asio::io_context loop;
  auto whole = read_all(std::make_unique<BytesStream>(bytes, size + 1));
  const std::string first = kinglet::testing::run_task<std::string>(loop, std::move(whole));
  auto pieces = read_all(std::make_unique<BytesStream>(bytes, 3));
  const std::string second = kinglet::testing::run_task<std::string>(loop, std::move(pieces));
  KL_ASSERT(first == second, "the pieces change the messages");
  return 0;
}
