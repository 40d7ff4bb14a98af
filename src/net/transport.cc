#include "net/internal/transport.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <cerrno>
#include <cstring>

namespace kinglet::net {
namespace asio = boost::asio;

namespace {
// Four TLS records: large enough that system calls do not count, small enough to stay in the cache.
constexpr size_t kPlainBytes = 64 << 10;
// Room for their framing, and for what TLS says by itself (alerts, key updates).
constexpr size_t kCipherBytes = kPlainBytes + (16 << 10);

// Buffers wait here between uses: a busy loop needs as many as it has slow peers.
struct Pool {
  std::vector<std::unique_ptr<char[]>> free;
  std::unique_ptr<char[]> take() {
    if (free.empty()) return std::unique_ptr<char[]>(new char[kCipherBytes]);
    auto buffer = std::move(free.back());
    free.pop_back();
    return buffer;
  }
  void give(std::unique_ptr<char[]> buffer) {
    constexpr size_t kKept = 2;
    if (buffer && free.size() < kKept) free.push_back(std::move(buffer));
  }
};
thread_local Pool t_pool;

std::string endpoint_text(const asio::ip::tcp::endpoint& endpoint, bool with_port) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  const std::string host = address.to_string();
  if (!with_port) return host;
  return address.is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                         : fmt::format("{}:{}", host, endpoint.port());
}
}  // namespace

Transport::Transport(asio::ip::tcp::socket socket, SslPtr ssl)
    : socket_(std::move(socket)), ssl_(std::move(ssl)) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (!ssl_) return;
  BIO* bio = BIO_new(bio_method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_read_ahead(ssl_.get(), 1);  // header and body of a record by one system call
}

Transport::~Transport() { release_buffers(); }

void Transport::release_buffers() {
  t_pool.give(std::move(plain_));
  t_pool.give(std::move(cipher_));
  plain_size_ = plain_at_ = cipher_size_ = cipher_at_ = 0;
}

BIO_METHOD* Transport::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kinglet socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

int Transport::bio_write(BIO* bio, const char* data, int size) {
  auto& self = *static_cast<Transport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!self.cipher_) self.cipher_ = t_pool.take();
  const size_t room = kCipherBytes - self.cipher_size_;
  if (room == 0) {
    BIO_set_retry_write(bio);
    return -1;
  }
  const size_t taken = std::min(room, static_cast<size_t>(size));
  std::memcpy(self.cipher_.get() + self.cipher_size_, data, taken);
  self.cipher_size_ += static_cast<uint32_t>(taken);
  return static_cast<int>(taken);
}

int Transport::bio_read(BIO* bio, char* out, int size) {
  auto& self = *static_cast<Transport*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const Read read = self.receive({out, static_cast<size_t>(size)});
  if (read.state == Io::ok) return static_cast<int>(read.bytes);
  if (read.state == Io::closed) return 0;
  if (read.state == Io::blocked) BIO_set_retry_read(bio);
  return -1;
}

long Transport::bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

Transport::Read Transport::receive(std::span<char> out) {
  if (aborted_) return {Io::failed};
  for (;;) {
    const ssize_t got = ::recv(socket_.native_handle(), out.data(), out.size(), 0);
    if (got > 0) return {Io::ok, static_cast<size_t>(got)};
    if (got == 0) return {Io::closed};
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Io::blocked : Io::failed};
  }
}

Transport::Io Transport::send(const char* data, size_t size, size_t& at) {
  while (at < size) {
    const ssize_t sent = ::send(socket_.native_handle(), data + at, size - at, MSG_NOSIGNAL);
    if (sent >= 0) {
      at += static_cast<size_t>(sent);
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK ? Io::blocked : Io::failed;
    }
  }
  return Io::ok;
}

Transport::Read Transport::read_now(std::span<char> out) {
  if (aborted_) return {Io::failed};
  if (!ssl_) return receive(out);
  ERR_clear_error();
  size_t got = 0;
  const int ok = SSL_read_ex(ssl_.get(), out.data(), out.size(), &got);
  const int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), ok);
  // TLS may have had something to say while reading (key update): it is sent with the next flush at
  // the latest.
  if (cipher_size_ > 0 && plain_size_ == 0 && flush() == Io::failed) return {Io::failed};
  switch (why) {
    case SSL_ERROR_NONE:
      return {Io::ok, got};
    case SSL_ERROR_WANT_READ:
      return {Io::blocked};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::closed};
    default:
      // WANT_WRITE too: a peer that makes TLS talk and does not listen is no peer.
      ERR_clear_error();
      return {Io::failed};
  }
}

size_t Transport::room() const { return kPlainBytes - plain_size_; }

size_t Transport::put(std::string_view bytes) {
  const size_t taken = std::min(bytes.size(), room());
  if (taken == 0) return 0;
  if (!plain_) plain_ = t_pool.take();
  std::memcpy(plain_.get() + plain_size_, bytes.data(), taken);
  plain_size_ += static_cast<uint32_t>(taken);
  return taken;
}

Transport::Io Transport::encrypt() {
  ERR_clear_error();
  size_t written = 0;
  // The cipher buffer is empty and takes everything at once: TLS never has half a write to repeat.
  if (SSL_write_ex(ssl_.get(), plain_.get(), plain_size_, &written) != 1) {
    ERR_clear_error();
    return Io::failed;
  }
  plain_size_ = 0;
  return Io::ok;
}

Transport::Io Transport::flush() {
  if (aborted_) return Io::failed;
  for (;;) {
    const bool tls = ssl_ != nullptr;
    auto& data = tls ? cipher_ : plain_;
    auto& size = tls ? cipher_size_ : plain_size_;
    auto& position = tls ? cipher_at_ : plain_at_;
    size_t at = position;
    const Io state = send(data.get(), size, at);
    position = static_cast<uint32_t>(at);
    if (state != Io::ok) return state;
    position = size = 0;
    if (plain_size_ == 0) {
      release_buffers();
      return Io::ok;
    }
    if (const Io sealed = encrypt(); sealed != Io::ok) return sealed;
  }
}

Task<Result<void>> Transport::wait(Direction direction) {
  if (aborted_) co_return *aborted_;
  boost::system::error_code ended;
  co_await socket_.async_wait(direction == Direction::read ? asio::ip::tcp::socket::wait_read
                                                           : asio::ip::tcp::socket::wait_write,
                              asio::redirect_error(asio::use_awaitable, ended));
  const auto cancelled = co_await asio::this_coro::cancellation_state;
  if (cancelled.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
  if (aborted_) co_return *aborted_;
  if (ended) co_return Error(Code::unavailable, "connection: {}", ended.message());
  co_return Result<void>();
}

Task<Result<void>> Transport::handshake() {
  while (ssl_) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
    std::string reason = why == SSL_ERROR_SSL ? openssl_reason() : "the peer has gone";
    // Also after a failure: the alert tells the peer why.
    Io sent = flush();
    while (sent == Io::blocked) {
      KL_CHECK(co_await wait(Direction::write));
      sent = flush();
    }
    if (why == SSL_ERROR_NONE && sent == Io::ok) break;
    if (why == SSL_ERROR_WANT_READ && sent == Io::ok) {
      KL_CHECK(co_await wait(Direction::read));
      continue;
    }
    const bool certificate = SSL_get_verify_result(ssl_.get()) != X509_V_OK;
    if (certificate) reason = X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get()));
    co_return Error(certificate ? Code::unauthorized : Code::unavailable, "TLS handshake: {}",
                    reason);
  }
  co_return Result<void>();
}

Task<Result<void>> Transport::write_all(std::string_view bytes) {
  for (;;) {
    bytes.remove_prefix(put(bytes));
    const Io state = flush();
    if (state == Io::blocked)
      KL_CHECK(co_await wait(Direction::write));
    else if (state != Io::ok)
      co_return Error(Code::unavailable, "connection lost");
    else if (bytes.empty())
      co_return Result<void>();
  }
}

void Transport::abort(Error reason) {
  if (aborted_) return;
  aborted_ = std::move(reason);
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Transport::shutdown_write() {
  // Only after everything else: TLS takes no data behind its close_notify.
  const Io state = flush();
  if (state == Io::ok && ssl_ && SSL_is_init_finished(ssl_.get())) {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    flush();
  }
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

std::string Transport::peer_address() const {
  boost::system::error_code unknown;
  const auto endpoint = socket_.remote_endpoint(unknown);
  return unknown ? std::string() : endpoint_text(endpoint, true);
}

std::string Transport::peer_host() const {
  boost::system::error_code unknown;
  const auto endpoint = socket_.remote_endpoint(unknown);
  return unknown ? std::string() : endpoint_text(endpoint, false);
}

}  // namespace kinglet::net
