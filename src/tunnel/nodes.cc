#include "tunnel/nodes.h"

#include <optional>

#include "base/deadline.h"
#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "json/json.h"
#include "net/pipe.h"
#include "tunnel/control.h"
#include "tunnel/failure_detector.h"
#include "tunnel/forward.h"
#include "tunnel/frame.h"

namespace kinglet::tunnel {
namespace {

// Requests to one node that wait for their stream or run.
constexpr size_t kRequestsMax = 200;
// An agent opens a stream in one round trip; a stuck one must not hold kubectl for ever.
constexpr Duration kOpenTimeout = 10s;

// A request that waits for its stream. Shared by who waits and the tunnel, since either may go
// first.
struct Waiting {
  std::unique_ptr<net::Stream> stream;
  Signal arrived;
};

Task<void> refuse(net::Exchange& exchange, int status, std::string message) {
  const char* reason = status == 404   ? "NotFound"
                       : status == 429 ? "TooManyRequests"
                                       : "ServiceUnavailable";
  const json::Value body =
      json::Object{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", json::Object()},
                   {"status", "Failure"}, {"message", message}, {"reason", reason},
                   {"code", status}};
  std::string text = json::print(body), type = "application/json";
  const auto sent = co_await net::respond_text(exchange, status, std::move(text), std::move(type));
  (void)sent;  // a peer that has gone needs no answer
}

}  // namespace

// What the control stream and the requests of one connection share.
struct Nodes::Session {
  std::string outbox;  // frames that the control stream sends next
  Signal posted;
  std::map<uint64_t, std::shared_ptr<Waiting>> waiting;
  uint64_t next_number = 1;
  size_t requests = 0;
  bool over = false;

  void post(FrameType type, std::string_view bytes) {
    append_frame(outbox, type, bytes);
    posted.notify_all();
  }
  // Everybody who waits for something of this session learns that it will not come.
  void end() {
    over = true;
    posted.notify_all();
    for (const auto& [number, one] : waiting) one->arrived.notify_all();
  }
};

class Nodes::Node final : public net::Handler {
 public:
  Node(Clock& clock, std::string name)
      : clock_(clock), name_(std::move(name)), detector_(clock.now()) {}

  Task<void> serve(net::Exchange& exchange) override {
    const auto session = session_;
    const auto done =
        session ? co_await forward(exchange, session)
                : Result<void>(Error(Code::unavailable, "node \"{}\" is not connected", name_));
    if (done) co_return;
    if (exchange.started()) {
      log_.debug("request to a node ended", kv("node", name_), kv("error", done.error()));
      co_return;
    }
    const int status = done.is(Code::too_many_requests) ? 429 : 503;
    std::string message = "error dialing backend: " + done.error().message();
    co_await refuse(exchange, status, std::move(message));
  }

  Clock& clock_;
  const std::string name_;
  std::shared_ptr<Session> session_;  // null: not connected
  FailureDetector detector_;
  std::optional<TimePoint> goodbye_;
  State state_ = State::unknown;
  Log log_{"tunnel"};

 private:
  Task<Result<void>> forward(net::Exchange& exchange, std::shared_ptr<Session> session) {
    if (session->requests >= kRequestsMax)
      co_return Error(Code::too_many_requests, "node \"{}\" has {} requests under way", name_,
                      kRequestsMax);
    struct Counted {
      Session& session;
      explicit Counted(Session& s) : session(s) { ++session.requests; }
      ~Counted() { --session.requests; }
    } counted(*session);
    auto asking = ask_for_stream(session);
    KL_TRY(stream, co_await with_deadline(clock_, kOpenTimeout, std::move(asking)), "node \"{}\"",
           name_);
    co_return co_await forward_exchange(exchange, *stream);
  }

  Task<Result<std::unique_ptr<net::Stream>>> ask_for_stream(std::shared_ptr<Session> session) {
    const auto waiting = std::make_shared<Waiting>();
    const uint64_t number = session->next_number++;
    session->waiting[number] = waiting;
    struct Forget {
      Session& session;
      uint64_t number;
      ~Forget() { session.waiting.erase(number); }
    } forget{*session, number};
    session->post(FrameType::open, encode_number(number));
    while (!waiting->stream) {
      if (session->over) co_return Error(Code::unavailable, "the connection to the node was lost");
      co_await waiting->arrived.wait();
    }
    co_return std::move(waiting->stream);
  }
};

Nodes::Nodes(Clock& clock, Metrics& metrics, NodesOptions options)
    : clock_(clock),
      options_(std::move(options)),
      connected_metric_(
          metrics.gauge("kinglet_tunnel_connected_nodes", "Nodes whose tunnel is connected.")),
      lost_metric_(metrics.counter("kinglet_tunnel_lost_nodes_total",
                                   "Times that a node was taken for dead.")) {}

Nodes::~Nodes() = default;

void Nodes::set_local(std::string name, net::Handler* handler) {
  local_name_ = std::move(name);
  local_ = handler;
}

Nodes::Node& Nodes::node(const std::string& name) {
  auto& slot = nodes_[name];
  if (!slot) slot = std::make_unique<Node>(clock_, name);
  return *slot;
}

net::Handler* Nodes::find(const std::string& name) {
  if (local_ && name == local_name_) return local_;
  const auto found = nodes_.find(name);
  return found != nodes_.end() && found->second->session_ ? found->second.get() : nullptr;
}

client::NodeLiveness::State Nodes::state(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? State::unknown : found->second->state_;
}

void Nodes::on_change(std::function<void(const std::string&)> listener) {
  listeners_.push_back(std::move(listener));
}

void Nodes::changed(const std::string& name) {
  for (const auto& listener : listeners_) listener(name);
}

size_t Nodes::connected() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& row) {
    return row.second->session_ != nullptr;
  }));
}

std::string Nodes::welcome() const {
  Welcome welcome;
  welcome.servers = options_.servers();
  return encode_welcome(welcome);
}

void Nodes::announce_servers() {
  const auto text = welcome();
  for (const auto& [name, node] : nodes_)
    if (node->session_) node->session_->post(FrameType::welcome, text);
}

namespace {
// Runs one connection's control stream; the callbacks are the node's.
struct Control {
  FrameStream& frames;
  std::function<void()> heard;
  std::function<void()> goodbye;
  std::function<void(std::string_view)> pinged;
};

Task<Result<void>> read_control(Control& control) {
  for (;;) {
    KL_TRY(frame, co_await control.frames.next());
    if (!frame) co_return Error(Code::unavailable, "the agent has closed the tunnel");
    control.heard();
    if (frame->type == FrameType::ping) control.pinged(frame->bytes);
    if (frame->type == FrameType::goodbye) control.goodbye();
  }
}
}  // namespace

Task<void> Nodes::serve_control(net::Exchange& exchange, std::string name) {
  net::Headers headers;
  auto upgrading = exchange.upgrade(std::move(headers));
  const auto stream = co_await std::move(upgrading);
  if (!stream) {
    std::string message = "this path is for kinglet agents: " + stream.error().message();
    co_await refuse(exchange, 404, std::move(message));
    co_return;
  }
  Node& node = this->node(name);
  const auto session = std::make_shared<Session>();
  if (const auto older = std::exchange(node.session_, session)) older->end();
  node.goodbye_.reset();
  node.detector_ = FailureDetector(clock_.now());
  node.log_.info("node connected", kv("node", name), kv("from", exchange.request().peer.address));
  session->post(FrameType::welcome, welcome());
  struct Leave {
    Nodes& self;
    Node& node;
    std::shared_ptr<Session> session;
    ~Leave() {
      session->end();
      if (node.session_ == session) node.session_.reset();
      self.connected_metric_.set(static_cast<double>(self.connected()));
    }
  } leave{*this, node, session};
  connected_metric_.set(static_cast<double>(connected()));
  somebody_.notify_all();
  if (std::exchange(node.state_, State::alive) != State::alive) changed(name);

  FrameStream frames(**stream);
  Control control{
      frames, [&] { node.detector_.heard(clock_.now()); }, [&] { node.goodbye_ = clock_.now(); },
      [&](std::string_view number) { session->post(FrameType::pong, number.substr(0, 8)); }};
  struct Writer {
    static Task<Result<void>> run(FrameStream& frames, std::shared_ptr<Session> session) {
      for (;;) {
        if (session->over)
          co_return Error(Code::unavailable, "a newer connection of this node has taken over");
        if (session->outbox.empty()) {
          co_await session->posted.wait();
          continue;
        }
        std::string out = std::exchange(session->outbox, {});
        KL_CHECK(co_await frames.send_raw(std::move(out)));
      }
    }
  };
  TaskGroup both;
  both.add("tunnel control in", read_control(control));
  both.add("tunnel control out", Writer::run(frames, session));
  const auto ended = co_await both.run();
  if (!ended) node.log_.info("node disconnected", kv("node", name), kv("why", ended.error()));
}

Task<void> Nodes::serve_stream(net::Exchange& exchange, std::string name, uint64_t number) {
  const auto session = node(name).session_;
  const auto found =
      session ? session->waiting.find(number) : decltype(session->waiting.find(number))();
  if (!session || found == session->waiting.end() || found->second->stream) {
    std::string message = "nobody waits for this stream";
    co_await refuse(exchange, 404, std::move(message));
    co_return;
  }
  const auto waiting = found->second;
  net::Headers headers;
  auto upgrading = exchange.upgrade(std::move(headers));
  const auto raw = co_await std::move(upgrading);
  if (!raw) co_return;
  auto [ours, theirs] = net::make_pipe();
  waiting->stream = std::move(theirs);
  waiting->arrived.notify_all();
  const auto ended = co_await net::join_streams(**raw, *ours);
  (void)ended;  // both ends have learned it
}

Task<void> Nodes::run() {
  for (;;) {
    bool watching = false;
    std::vector<std::string> lost;
    const TimePoint now = clock_.now();
    for (const auto& [name, node] : nodes_) {
      if (node->state_ != State::alive) continue;
      watching = true;
      const bool silent = node->detector_.tick(now);
      const bool restarting = node->goodbye_ && now - *node->goodbye_ < options_.goodbye_grace;
      if (silent && !restarting) lost.push_back(name);
    }
    for (const auto& name : lost) {
      Node& node = *nodes_.at(name);
      node.log_.warn("node lost", kv("node", name),
                     kv("silent_ms", std::chrono::duration_cast<std::chrono::milliseconds>(
                                         node.detector_.silence(now))
                                         .count()));
      node.state_ = State::lost;
      lost_metric_.add();
      if (const auto session = std::exchange(node.session_, nullptr)) session->end();
      changed(name);
    }
    if (watching)
      co_await clock_.sleep(kTickEvery);
    else
      co_await somebody_.wait();
  }
}

}  // namespace kinglet::tunnel
