#include "tunnel/agent_tunnel.h"

#include "base/deadline.h"
#include "base/task.h"
#include "client/backoff.h"
#include "client/http_api.h"
#include "tunnel/address_watch.h"
#include "tunnel/control.h"
#include "tunnel/failure_detector.h"
#include "tunnel/forward.h"

namespace kinglet::tunnel {
namespace {

// A new attempt begins while older ones still wait for a lost packet: the path may have healed in
// the meantime.
constexpr Duration kRedialFirst = 100ms, kRedialMax = 700ms;
constexpr Duration kDialTimeout = 4s;
constexpr size_t kAttemptsMax = 12;  // at once
// A server that lets us connect and then refuses us will not change its mind quickly.
constexpr Duration kRefusedPause = 5s;
constexpr Duration kControlTimeout = 5s;
constexpr Duration kGoodbyeTimeout = 500ms;
constexpr Duration kAnswerLinger = 30s;
constexpr size_t kRequestsMax = 200;

}  // namespace

AgentTunnel::AgentTunnel(Clock& clock, Random& random, ServerList& servers,
                         AgentTunnelOptions options)
    : clock_(clock), random_(random), servers_(servers), options_(std::move(options)) {}

AgentTunnel::~AgentTunnel() = default;

net::H2Options AgentTunnel::dial_options(const std::string& url) const {
  net::H2Options out;
  out.url = url;
  out.tls = options_.tls;
  if (options_.proxy_for) out.proxy = options_.proxy_for(url);
  out.connect_timeout = kDialTimeout;
  return out;
}

// Attempts that run side by side, and what came of them.
struct AgentTunnel::Attempt {
  std::unique_ptr<net::H2Client> client;
  std::string server, error;
  size_t running = 0;
};

Task<void> AgentTunnel::dial_one(std::string url, std::shared_ptr<Attempt> attempt,
                                 TaskGroup& attempts) {
  struct Running {
    Attempt& attempt;
    explicit Running(Attempt& a) : attempt(a) { ++attempt.running; }
    ~Running() { --attempt.running; }
  } running(*attempt);
  auto connecting = net::connect_h2(clock_, dial_options(url));
  auto client = co_await std::move(connecting);
  if (!client) {
    attempt->error = url + ": " + client.error().message();
    co_return;
  }
  if (attempt->client) co_return;  // another was first
  attempt->client = std::move(*client);
  attempt->server = url;
  attempts.cancel();
}

Task<void> AgentTunnel::start_dialing(std::shared_ptr<Attempt> attempt, TaskGroup& attempts) {
  client::Backoff backoff(random_, kRedialFirst, kRedialMax);
  std::string said;
  for (;;) {
    for (const auto& url : servers_.in_order()) {
      if (attempt->running < kAttemptsMax) attempts.add("dial", dial_one(url, attempt, attempts));
    }
    auto pause = backoff.next();
    auto waiting = with_deadline(clock_, pause, [](Signal& hurry) -> Task<Result<void>> {
      co_await hurry.wait();
      co_return Result<void>();
    }(hurry_));
    const auto hurried = co_await std::move(waiting);
    if (hurried) backoff.reset();
    if (attempt->error != said) {
      said = status_.last_error = attempt->error;
      log_.warn("no server answers", kv("last", said));
    }
  }
}

Task<Result<std::unique_ptr<net::H2Client>>> AgentTunnel::dial_any(std::string& server) {
  const auto attempt = std::make_shared<Attempt>();
  TaskGroup attempts;
  attempts.add("dialing", start_dialing(attempt, attempts));
  const auto ended = co_await attempts.run();
  if (!attempt->client)
    co_return ended ? Error(Code::unavailable, "dialing has stopped") : ended.error();
  server = attempt->server;
  co_return std::move(attempt->client);
}

Task<Result<void>> AgentTunnel::run() {
  for (;;) {
    std::string server;
    redial_ = false;
    KL_TRY(client, co_await dial_any(server));
    servers_.worked(server);
    status_.server = server;
    const auto ended = co_await use(*client);
    if (status_.connected)
      log_.warn("tunnel lost", kv("server", server), kv("why", ended.error()));
    else
      log_.warn("tunnel refused", kv("server", server), kv("why", ended.error()));
    status_.last_error = ended.error().message();
    const bool was_up = std::exchange(status_.connected, false);
    client.reset();
    if (!was_up) co_await clock_.sleep(client::Backoff::jittered(random_, kRefusedPause));
  }
}

Task<Result<void>> AgentTunnel::use(net::H2Client& client) {
  TaskGroup parts;
  struct Down {
    AgentTunnel& self;
    ~Down() {
      self.client_ = nullptr;
      self.control_ = nullptr;
    }
  } down{*this};
  parts.add("tunnel connection", client.run());
  parts.add("tunnel control", control(client, parts));
  parts.add("tunnel orders", watch_orders());
  const auto ended = co_await parts.run();
  co_return ended ? Error(Code::unavailable, "the tunnel has ended") : ended.error();
}

Task<Result<void>> AgentTunnel::watch_orders() {
  while (!redial_) co_await orders_.wait();
  co_return Error(Code::unavailable, "dialing anew");
}

Task<Result<void>> AgentTunnel::control(net::H2Client& client, TaskGroup& parts) {
  net::H2Request request;
  request.target = kControlPath;
  request.protocol = kControlProtocol;
  auto opened = client.open(std::move(request));
  if (!opened) co_return opened.error();
  const std::unique_ptr<net::H2Call> call = std::move(*opened);
  KL_TRY(status, co_await with_deadline(clock_, kControlTimeout, call->status()));
  if (status / 100 != 2) {
    const auto body = co_await net::read_all(*call, 4096);
    co_return client::error_of_status(status, body ? *body : "")
        .with_context("the server refuses this node");
  }
  FrameStream frames(*call);
  client_ = &client;
  control_ = &frames;
  status_.connected = true;
  status_.local_host = client.local_host();
  ++status_.connects;
  log_.info("connected", kv("server", status_.server), kv("from", status_.local_host));
  up_.notify_all();
  if (connected_) connected_(status_.local_host);
  TaskGroup both;
  both.add("tunnel control in", read_control(frames, client, parts));
  both.add("tunnel pings", ping(frames));
  both.add("tunnel silence", watch_silence(client));
  co_return co_await both.run();
}

Task<Result<void>> AgentTunnel::read_control(FrameStream& frames, net::H2Client& client,
                                             TaskGroup& parts) {
  for (;;) {
    KL_TRY(frame, co_await frames.next());
    if (!frame) co_return Error(Code::unavailable, "the server has closed the tunnel");
    if (frame->type == FrameType::pong) {
      const auto number = decode_number(frame->bytes);
      if (number && *number == pings_) status_.round_trip = clock_.now() - pinged_at_;
    } else if (frame->type == FrameType::open) {
      const auto number = decode_number(frame->bytes);
      // The server waits for a stream it is not given until its own deadline.
      if (number && parts.running() < kRequestsMax)
        parts.add("forwarded request", answer(client, *number));
    } else if (frame->type == FrameType::welcome) {
      const auto welcome = decode_welcome(frame->bytes);
      if (welcome) servers_.learned(welcome->servers);
    }
  }
}

Task<Result<void>> AgentTunnel::ping(FrameStream& frames) {
  for (;;) {
    pinged_at_ = clock_.now();
    std::string number = encode_number(++pings_);
    KL_CHECK(co_await frames.send(FrameType::ping, std::move(number)));
    co_await clock_.sleep(kPingEvery);
  }
}

// The server answers every ping, so its silence means as much as ours does to it.
Task<Result<void>> AgentTunnel::watch_silence(net::H2Client& client) {
  FailureDetector detector(clock_.now());
  TimePoint heard = client.last_heard();
  for (;;) {
    co_await clock_.sleep(kTickEvery);
    if (client.last_heard() != heard) {
      heard = client.last_heard();
      detector.heard(clock_.now());
    }
    if (detector.tick(clock_.now())) co_return Error(Code::unavailable, "the server is silent");
  }
}

Task<void> AgentTunnel::answer(net::H2Client& client, uint64_t number) {
  net::H2Request request;
  request.target = kStreamPathPrefix + std::to_string(number);
  request.protocol = kStreamProtocol;
  auto opened = client.open(std::move(request));
  if (!opened) co_return;
  const std::unique_ptr<net::H2Call> call = std::move(*opened);
  const auto status = co_await call->status();
  if (!status || *status / 100 != 2) co_return;
  struct Until {
    static Task<void> ended(net::H2Call& call, TaskGroup& group) {
      co_await call.wait_ended();
      group.cancel();
    }
  };
  TaskGroup group;
  group.add("forwarded answer", answer_on(*call));
  group.add("forwarded end", Until::ended(*call, group));
  const auto done = co_await group.run();
  if (!done) log_.debug("forwarded request ended", kv("error", done.error()));
}

Task<Result<void>> AgentTunnel::answer_on(net::H2Call& call) {
  if (!handler_) co_return Error(Code::unavailable, "this agent answers nothing yet");
  KL_CHECK(co_await answer_forwarded(call, *handler_));
  // The server ends its direction when it has taken everything; to let go before would cut what is
  // on its way.
  co_await clock_.sleep(kAnswerLinger);
  co_return Result<void>();
}

Task<void> AgentTunnel::ready() {
  while (!client_) co_await up_.wait();
}

Task<Result<std::unique_ptr<net::H2Call>>> AgentTunnel::open(net::H2Request request) {
  co_await ready();
  co_return client_->open(std::move(request));
}

void AgentTunnel::addresses_changed() {
  hurry_.notify_all();
  if (!client_ || have_address(client_->local_host())) return;
  redial_ = true;
  orders_.notify_all();
}

void AgentTunnel::set_key_pair(net::KeyPair key_pair) {
  options_.tls.key_pair = std::move(key_pair);
  redial_ = true;
  orders_.notify_all();
}

Task<Result<void>> AgentTunnel::goodbye() {
  if (!control_) co_return Result<void>();
  std::string nothing;
  auto sending = control_->send(FrameType::goodbye, std::move(nothing));
  co_return co_await with_deadline(clock_, kGoodbyeTimeout, std::move(sending));
}

}  // namespace kinglet::tunnel
