// The agent's side: keeps one connection to one of the cluster's servers, for as long as it runs.
//
// Carries the agent's own requests (client::Connection), tells the server that it is alive, and
// answers the server's requests to this node. When the connection is lost, or silent, or the
// machine's address has gone, it dials again at once, all known servers side by side, and takes
// whichever answers first.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/signal.h"
#include "base/task_group.h"
#include "client/remote_api.h"
#include "net/h2_client.h"
#include "tunnel/frame.h"
#include "tunnel/server_list.h"

namespace kinglet::tunnel {

struct AgentTunnelOptions {
  net::ClientTls tls;  // with the node's certificate; its server_name is one that every server has
  // The HTTP proxy on the way to a server, http://[user:password@]host:port; "" or not set: none.
  std::function<std::string(const std::string& url)> proxy_for;
};

// What is known of the connection, for people.
struct TunnelStatus {
  bool connected = false;
  std::string server, local_host, last_error;
  Duration round_trip{};
  uint64_t connects = 0;
};

class AgentTunnel final : public client::Connection {
 public:
  // References outlive it.
  AgentTunnel(Clock& clock, Random& random, ServerList& servers, AgentTunnelOptions options);
  ~AgentTunnel() override;

  // Answers the server's requests; null: they are refused. Set before run(), outlives it.
  void set_handler(net::Handler* handler) { handler_ = handler; }
  // Called each time the tunnel is up, with our address on it.
  void on_connected(std::function<void(const std::string& local_host)> callback) {
    connected_ = std::move(callback);
  }

  // Until cancelled. Does not fail: an outage is normal.
  Task<Result<void>> run();

  Task<void> ready() override;
  Task<Result<std::unique_ptr<net::H2Call>>> open(net::H2Request request) override;

  // The machine's addresses have changed: a connection from one that has gone is given up, and a
  // pause ends.
  void addresses_changed();
  // A renewed certificate: used from now on, by a connection that replaces the present one.
  void set_key_pair(net::KeyPair key_pair);
  // Tells the server that we go on purpose, so that it does not take us for dead at once.
  Task<Result<void>> goodbye();
  const TunnelStatus& status() const { return status_; }

 private:
  struct Attempt;
  Task<Result<std::unique_ptr<net::H2Client>>> dial_any(std::string& server);
  Task<void> dial_one(std::string url, std::shared_ptr<Attempt> attempt, TaskGroup& attempts);
  Task<void> start_dialing(std::shared_ptr<Attempt> attempt, TaskGroup& attempts);
  Task<Result<void>> use(net::H2Client& client);
  Task<Result<void>> control(net::H2Client& client, TaskGroup& parts);
  Task<Result<void>> read_control(FrameStream& frames, net::H2Client& client, TaskGroup& parts);
  Task<Result<void>> ping(FrameStream& frames);
  Task<Result<void>> watch_silence(net::H2Client& client);
  Task<Result<void>> watch_orders();
  Task<void> answer(net::H2Client& client, uint64_t number);
  Task<Result<void>> answer_on(net::H2Call& call);
  net::H2Options dial_options(const std::string& url) const;

  Clock& clock_;
  Random& random_;
  ServerList& servers_;
  AgentTunnelOptions options_;
  net::Handler* handler_ = nullptr;
  std::function<void(const std::string&)> connected_;
  net::H2Client* client_ = nullptr;  // while the tunnel is up
  FrameStream* control_ = nullptr;   // likewise
  Signal up_, orders_, hurry_;
  bool redial_ = false;
  uint64_t pings_ = 0;
  TimePoint pinged_at_{};
  TunnelStatus status_;
  Log log_{"tunnel"};
};

}  // namespace kinglet::tunnel
