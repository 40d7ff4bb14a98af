// A TCP connection, with or without TLS: what HTTP/1.1, HTTP/2 and the client send bytes through.
//
// Reading and sending never block; wait() is the only coroutine. Small pieces are gathered with one
// copy into records of 16 KiB and sent by one system call per 64 KiB. An idle connection owns no
// buffers: they come from a pool of the loop thread and go back when all is sent. One reader and
// one writer at a time. Loop only.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/task.h"
#include "net/internal/openssl.h"

namespace kinglet::net {

class Transport {
 public:
  enum class Io {
    ok,
    blocked,  // wait(), then again
    closed,   // the peer has finished
    failed,   // the connection is lost
  };
  enum class Direction { read, write };
  struct Read {
    Io state;
    size_t bytes = 0;
  };

  // `ssl` empty: plain TCP. The socket becomes non-blocking.
  Transport(boost::asio::ip::tcp::socket socket, SslPtr ssl);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Call until it is blocked before waiting: TLS may hold bytes that the kernel no longer has.
  Read read_now(std::span<char> out);
  // Copies as much of `bytes` as the send buffer has room for; returns how much that was.
  size_t put(std::string_view bytes);
  size_t room() const;
  bool unsent() const { return plain_size_ > 0 || cipher_at_ < cipher_size_; }
  Io flush();  // ok: everything is with the kernel

  // Errors: unavailable, or the reason given to abort().
  Task<Result<void>> wait(Direction direction);
  // Ends the TLS handshake (nothing to do without TLS). Errors: unauthorized (the peer's
  // certificate), unavailable.
  Task<Result<void>> handshake();
  // Sends all of `bytes`, however slow the peer is.
  Task<Result<void>> write_all(std::string_view bytes);

  // Every wait, now and later, ends with `reason`.
  void abort(Error reason);
  bool aborted() const { return aborted_.has_value(); }
  // Tells the peer that no more will come (close_notify and FIN), without waiting.
  void shutdown_write();

  SSL* ssl() const { return ssl_.get(); }
  std::string peer_address() const;  // "10.0.0.7:51234", "[fd00::1]:443"
  std::string peer_host() const;     // the address alone
  int fd() { return socket_.native_handle(); }

 private:
  static int bio_write(BIO* bio, const char* data, int size);
  static int bio_read(BIO* bio, char* out, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* bio_method();

  Read receive(std::span<char> out);
  Io send(const char* data, size_t size, size_t& at);
  Io encrypt();
  void release_buffers();

  boost::asio::ip::tcp::socket socket_;
  SslPtr ssl_;
  std::unique_ptr<char[]> plain_, cipher_;
  uint32_t plain_size_ = 0, plain_at_ = 0;
  uint32_t cipher_size_ = 0, cipher_at_ = 0;
  std::optional<Error> aborted_;
};

}  // namespace kinglet::net
