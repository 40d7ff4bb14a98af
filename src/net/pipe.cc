#include "net/pipe.h"

#include <cstring>

#include "base/signal.h"
#include "base/task.h"
#include "base/task_group.h"

namespace kinglet::net {
namespace {

struct PipeBuffer {
  std::string bytes;
  size_t at = 0;
  bool writer_done = false, writer_gone = false, reader_gone = false;
  Signal changed;
  size_t size() const { return bytes.size() - at; }
};

class PipeEnd final : public Stream {
 public:
  PipeEnd(std::shared_ptr<PipeBuffer> in, std::shared_ptr<PipeBuffer> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~PipeEnd() override {
    in_->reader_gone = true;
    if (!out_->writer_done) out_->writer_gone = true;
    in_->changed.notify_all();
    out_->changed.notify_all();
  }

  Task<Result<size_t>> read(std::span<char> out) override {
    const auto in = in_;
    while (in->size() == 0) {
      if (in->writer_done) co_return size_t{0};
      if (in->writer_gone) co_return Error(Code::unavailable, "the other end has gone");
      co_await in->changed.wait();
    }
    const size_t taken = std::min(out.size(), in->size());
    std::memcpy(out.data(), in->bytes.data() + in->at, taken);
    in->at += taken;
    if (in->size() == 0) {
      std::string().swap(in->bytes);
      in->at = 0;
    }
    in->changed.notify_all();
    co_return taken;
  }

  Task<Result<void>> write(std::string_view bytes) override {
    const auto out = out_;
    while (!bytes.empty()) {
      if (out->reader_gone) co_return Error(Code::unavailable, "the other end has gone");
      const size_t room = kPipeBytesMax - std::min(kPipeBytesMax, out->size());
      if (room == 0) {
        co_await out->changed.wait();
        continue;
      }
      const size_t taken = std::min(room, bytes.size());
      if (out->at > 0) {
        out->bytes.erase(0, out->at);
        out->at = 0;
      }
      out->bytes.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      out->changed.notify_all();
    }
    co_return Result<void>();
  }

  Task<Result<void>> close_write() override {
    out_->writer_done = true;
    out_->changed.notify_all();
    co_return Result<void>();
  }

 private:
  std::shared_ptr<PipeBuffer> in_, out_;
};

}  // namespace

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe() {
  auto there = std::make_shared<PipeBuffer>(), back = std::make_shared<PipeBuffer>();
  return {std::make_unique<PipeEnd>(there, back), std::make_unique<PipeEnd>(back, there)};
}

Task<Result<void>> copy_stream(Stream& from, Stream& to) {
  constexpr size_t kCopyBytes = 16 << 10;
  const std::unique_ptr<char[]> buffer(new char[kCopyBytes]);
  for (;;) {
    KL_TRY(got, co_await from.read({buffer.get(), kCopyBytes}));
    if (got == 0) co_return co_await to.close_write();
    KL_CHECK(co_await to.write({buffer.get(), got}));
  }
}

Task<Result<void>> join_streams(Stream& a, Stream& b) {
  TaskGroup both;
  both.add("there", copy_stream(a, b));
  both.add("back", copy_stream(b, a));
  co_return co_await both.run();
}

}  // namespace kinglet::net
