#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/task.h"
#include "node/runtime/rooted_path.h"
#include "node/runtime/session.h"
#include "node/runtime/stream_buffer.h"

namespace kinglet::runtime {
namespace {

class AttachSession final : public Session {
 public:
  AttachSession(AttachInput input, UniqueFd socket) : input_(std::move(input)), socket_(std::move(socket)) {}
  ~AttachSession() override {
    buffer_->finish();
    ::shutdown(socket_.get(), SHUT_RDWR);  // wakes the pump, which has a descriptor of its own
  }

  void start(TaskGroup& owner) {
    buffer_->open();
    owner.add("attach stream", pump(UniqueFd(::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0)), Chunk::Stream::out,
                                    true, buffer_));
  }
  Task<Result<Chunk>> read() override { co_return co_await buffer_->pop(); }
  Task<Result<void>> write(std::string data) override {
    if (stdin_closed_) co_return Error(Code::unavailable, "stdin is closed");
    // One packet must fit what conmon reads at once.
    constexpr size_t kPacketBytesMax = 8192;
    for (size_t at = 0; at < data.size(); at += kPacketBytesMax)
      KL_CHECK(co_await write_fully(socket_.get(), data.substr(at, kPacketBytesMax)));
    co_return Result<void>();
  }
  void close_stdin() override {
    if (!std::exchange(stdin_closed_, true)) ::shutdown(socket_.get(), SHUT_WR);
  }
  Result<void> resize(uint16_t rows, uint16_t columns) override {
    if (!input_.tty) return {};
    return conmon_resize(input_.paths, input_.id, rows, columns);
  }
  Task<Result<int>> wait() override { co_return co_await input_.wait(); }

 private:
  AttachInput input_;
  UniqueFd socket_;
  std::shared_ptr<StreamBuffer> buffer_ = std::make_shared<StreamBuffer>();
  bool stdin_closed_ = false;
};
}  // namespace

Result<std::unique_ptr<Session>> start_attach(AttachInput input, TaskGroup& owner) {
  // By descriptor: the bundle's path may be longer than a socket's address.
  const UniqueFd bundle(::open(input.paths.bundle(input.id).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!bundle) return Error(Code::conflict, "container {} does not run", input.id);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fd_path(bundle.get()) + "/attach";
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Error(Code::unavailable, "cannot attach: {}", errno_error(errno, "connect").message());
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  auto session = std::make_unique<AttachSession>(std::move(input), std::move(socket));
  session->start(owner);
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace kinglet::runtime
