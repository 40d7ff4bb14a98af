// The connection behind h2_client.h: nghttp2 in the role of a client.
#pragma once
#include <nghttp2/nghttp2.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/signal.h"
#include "base/task_group.h"
#include "net/h2_client.h"
#include "net/internal/transport.h"

namespace kinglet::net {

class H2Connection;

// What a request has sent and received. Shared by the connection and the H2Call, since either may
// go first.
struct H2Stream {
  H2Connection* connection = nullptr;  // null: over, `error` says why if it did not end well
  int32_t id = 0;

  int status = 0;
  Headers headers;
  bool head_done = false;
  std::string body;
  size_t body_at = 0;
  bool body_end = false;
  std::optional<Error> error;
  bool abandoned = false;  // the H2Call has gone: what still comes is dropped
  Signal arrived;

  std::deque<Bytes> out;
  size_t out_at = 0, out_bytes = 0;
  bool out_end = false, deferred = false;
  Signal sent;

  bool over() const { return connection == nullptr; }
};

class H2Connection final : public H2Client {
 public:
  H2Connection(Clock& clock, std::unique_ptr<Transport> transport, std::string authority, bool tls);
  ~H2Connection() override;

  Task<Result<void>> run() override;
  Result<std::unique_ptr<H2Call>> open(H2Request request) override;
  TimePoint last_heard() const override { return heard_; }
  const std::string& local_host() const override { return local_host_; }
  const std::string& peer_host() const override { return peer_host_; }

  void pump();
  // For the fuzzer: bytes as if they had come from the peer. False: the connection is over.
  bool take(std::string_view bytes);

  // Called by an H2Call.
  void write(H2Stream& stream, std::string_view bytes, bool end);
  void consumed(H2Stream& stream, size_t bytes);
  void abandon(H2Stream& stream);

 private:
  friend struct H2Callbacks;
  Task<Result<void>> read_loop();
  Task<Result<void>> write_loop();
  std::shared_ptr<H2Stream> find(int32_t id) const;
  void end(H2Stream& stream, std::optional<Error> error);
  void lose(const Error& why);

  Clock& clock_;
  std::unique_ptr<Transport> transport_;
  const std::string authority_, scheme_, local_host_, peer_host_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::shared_ptr<H2Stream>> streams_;
  TaskGroup group_;
  Signal writable_wanted_;
  TimePoint heard_;
  std::optional<Error> lost_;
  bool going_away_ = false;
  bool blocked_ = false, out_of_room_ = false, pumping_ = false, receiving_ = false;
};

}  // namespace kinglet::net
