#include "node/runtime/stream_buffer.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "base/task.h"
#include "node/runtime/session.h"

namespace kinglet::runtime {
namespace asio = boost::asio;

Task<void> StreamBuffer::push(Chunk chunk) {
  while (bytes_ >= kSessionBufferBytesMax && !finished_) co_await changed_.wait();
  if (finished_) co_return;
  bytes_ += chunk.data.size();
  chunks_.push_back(std::move(chunk));
  changed_.notify_all();
}

Task<Chunk> StreamBuffer::pop() {
  while (chunks_.empty() && open_ > 0 && !finished_) co_await changed_.wait();
  if (chunks_.empty()) co_return Chunk{};
  Chunk chunk = std::move(chunks_.front());
  chunks_.pop_front();
  bytes_ -= chunk.data.size();
  changed_.notify_all();
  co_return chunk;
}

Task<void> pump(UniqueFd fd, Chunk::Stream stream, bool packets, std::shared_ptr<StreamBuffer> buffer) {
  struct Close {
    StreamBuffer& buffer;
    ~Close() { buffer.close(); }
  } close{*buffer};
  const int raw = fd.get();
  asio::posix::stream_descriptor watched(co_await asio::this_coro::executor, fd.release());
  std::string block(kChunkBytesMax, '\0');
  while (!buffer->finished()) {
    const ssize_t n = ::read(raw, block.data(), block.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      boost::system::error_code failed;
      co_await watched.async_wait(asio::posix::descriptor_base::wait_read,
                                  asio::redirect_error(asio::use_awaitable, failed));
      if (failed) break;
      continue;
    }
    if (n <= 0) break;  // a terminal whose other side is closed says EIO
    Chunk chunk{stream, block.substr(0, static_cast<size_t>(n))};
    if (packets) {
      constexpr char kStderr = 3;
      chunk.stream = chunk.data[0] == kStderr ? Chunk::Stream::err : Chunk::Stream::out;
      chunk.data.erase(0, 1);
      if (chunk.data.empty()) continue;
    }
    auto pushing = buffer->push(std::move(chunk));
    co_await std::move(pushing);
  }
}

Task<Result<void>> write_fully(int fd, std::string data) {
  // A descriptor of its own: the session may be closed while we wait.
  asio::posix::stream_descriptor out(co_await asio::this_coro::executor,
                                     ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  boost::system::error_code failed;
  co_await asio::async_write(out, asio::buffer(data), asio::redirect_error(asio::use_awaitable, failed));
  if (failed == asio::error::operation_aborted) throw boost::system::system_error(failed);
  if (failed) co_return Error(Code::unavailable, "stdin is closed: {}", failed.message());
  co_return Result<void>();
}

}  // namespace kinglet::runtime
