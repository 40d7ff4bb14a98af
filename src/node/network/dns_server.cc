#include "node/network/dns_server.h"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "base/deadline.h"
#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "node/network/dns_forward.h"
#include "node/network/dns_message.h"
#include "node/network/dns_zone.h"
#include "node/network/service_proxy.h"

namespace kinglet::network {
namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

namespace {
constexpr size_t kQueryBytesMax = 4096;
constexpr size_t kConnectionsMax = 100;
constexpr Duration kIdleMax = std::chrono::seconds(10);  // of a TCP connection
constexpr size_t kUdpWaitingMax = 512;                   // questions that wait for a name server

class Server final : public DnsServer {
 public:
  Server(DnsOptions options, client::Informer<ServiceObject> services,
         client::Informer<SliceObject> slices, Clock& clock, Random& random, Files& files,
         Metrics& metrics)
      : options_(std::move(options)),
        services_(services),
        slices_(slices),
        clock_(clock),
        random_(random),
        zone_(options_.domain, options_.networks),
        forward_(make_dns_forward(options_.resolv_conf, options_.address, clock, random, files)),
        answered_(metrics.counter("coredns_dns_requests_total", "Questions answered.")),
        forwarded_(metrics.counter("coredns_forward_requests_total", "Questions passed on.")) {
    const auto touched = [this](const auto*, const auto*) { dirty_ = true; };
    services_.on_change(touched);
    slices_.on_change(touched);
  }

  Task<Result<void>> run() override {
    boost::system::error_code bad;
    const auto address = asio::ip::make_address(options_.address, bad);
    if (bad) co_return Error(Code::invalid, "DNS address \"{}\"", options_.address);
    TaskGroup parts;
    parts.add("udp", serve_udp(udp::endpoint(address, options_.port)));
    parts.add("tcp", serve_tcp(tcp::endpoint(address, options_.port)));
    co_return co_await parts.run();
  }

 private:
  bool ready() const { return services_.core().has_synced() && slices_.core().has_synced(); }
  const DnsZone& zone() {
    if (dirty_) zone_.rebuild(world_of(services_, slices_));
    dirty_ = false;
    return zone_;
  }

  // The answer that needs nobody else; nullopt: the question must be forwarded, or followed.
  struct Local {
    std::optional<std::string> answer;
    bool drop = false;
    DnsQuery query;
    std::string alias;  // where an ExternalName leads, out of the cluster
  };
  Local answer_locally(std::string_view bytes, size_t udp_limit);
  Task<std::string> answer_elsewhere(Local local, std::string bytes,
                                     DnsForward::Transport transport);

  Task<Result<void>> serve_udp(udp::endpoint at);
  Task<void> reply_later(udp::socket& socket, udp::endpoint to, Local local, std::string bytes);
  Task<Result<void>> serve_tcp(tcp::endpoint at);
  Task<Result<void>> accept_all(tcp::acceptor& acceptor, TaskGroup& connections);
  Task<void> talk(tcp::socket socket);

  DnsOptions options_;
  client::Informer<ServiceObject> services_;
  client::Informer<SliceObject> slices_;
  Clock& clock_;
  Random& random_;
  Log log_{"dns"};
  DnsZone zone_;
  bool dirty_ = true;
  std::unique_ptr<DnsForward> forward_;
  Counter& answered_;
  Counter& forwarded_;
};

Server::Local Server::answer_locally(std::string_view bytes, size_t udp_limit) {
  Local local;
  auto read = read_query(bytes);
  if (!read) {
    local.drop = true;
    return local;
  }
  if (!*read) {
    local.answer = write_header_error(
        bytes, read->is(Code::invalid) ? DnsCode::not_implemented : DnsCode::bad_format);
    return local;
  }
  local.query = std::move(**read);
  if (local.query.other_class) {
    local.answer = write_error(local.query, DnsCode::not_implemented);
    return local;
  }
  const DnsAnswer answer = zone().resolve(local.query.name, local.query.type);
  if (answer.kind == DnsAnswer::Kind::elsewhere) return local;
  // Until the lists are complete "no such name" would be a lie that resolvers remember.
  if (!ready()) {
    local.answer = write_error(local.query, DnsCode::failed);
    return local;
  }
  const size_t limit = udp_limit == 0 ? 0 : std::min(udp_limit, local.query.udp_bytes_max);
  if (answer.records.size() == 1 && answer.records[0].type == DnsType::cname &&
      local.query.type != DnsType::cname) {
    const DnsAnswer target = zone().resolve(answer.records[0].target, local.query.type);
    if (target.kind == DnsAnswer::Kind::elsewhere) {
      local.alias = answer.records[0].target;
      return local;
    }
    DnsAnswer both = answer;
    both.records.insert(both.records.end(), target.records.begin(), target.records.end());
    local.answer = write_answer(local.query, both, zone_.domain(), limit);
    return local;
  }
  local.answer = write_answer(local.query, answer, zone_.domain(), limit);
  return local;
}

Task<std::string> Server::answer_elsewhere(Local local, std::string bytes,
                                           DnsForward::Transport transport) {
  forwarded_.add();
  const bool is_udp = transport == DnsForward::Transport::udp;
  const size_t limit =
      is_udp ? std::min(local.query.udp_bytes_max, kDnsUdpBytesMax) : kDnsMessageBytesMax;
  if (local.alias.empty()) {
    auto answer = co_await forward_->ask(std::move(bytes), transport);
    if (!answer) co_return write_error(local.query, DnsCode::failed);
    co_return is_udp ? cut_to(*answer, local.query.udp_bytes_max) : std::move(*answer);
  }
  std::string question =
      write_query(static_cast<uint16_t>(random_.below(65536)), local.alias, local.query.type);
  auto more = co_await forward_->ask(std::move(question), transport);
  const DnsAnswer alias = zone().resolve(local.query.name, DnsType::cname);
  const std::string own = write_answer(local.query, alias, zone_.domain(), 0);
  co_return cut_to(more ? with_answers_of(own, *more) : own, limit);
}

Task<Result<void>> Server::serve_udp(udp::endpoint at) {
  boost::system::error_code error;
  udp::socket socket(co_await asio::this_coro::executor);
  socket.open(at.protocol(), error);
  if (!error) socket.bind(at, error);
  if (error)
    co_return Error(Code::unavailable, "DNS on {} (UDP): {}", options_.address, error.message());
  socket.non_blocking(true);
  TaskGroup waiting(TaskGroup::WhenEmpty::keep_open);
  const auto receive = [](Server& me, udp::socket& s, TaskGroup& group) -> Task<Result<void>> {
    std::string buffer(kQueryBytesMax, '\0');
    for (;;) {
      udp::endpoint from;
      boost::system::error_code failed;
      const size_t size = co_await s.async_receive_from(
          asio::buffer(buffer), from, asio::redirect_error(asio::use_awaitable, failed));
      if (failed) continue;  // of an earlier reply that met a closed port
      const std::string_view bytes = std::string_view(buffer).substr(0, size);
      Local local = me.answer_locally(bytes, kDnsUdpBytesMax);
      if (local.drop) continue;
      me.answered_.add();
      // A full socket loses the answer: the client asks again.
      if (local.answer)
        s.send_to(asio::buffer(*local.answer), from, 0, failed);
      else if (group.running() < kUdpWaitingMax)
        group.add("question", me.reply_later(s, from, std::move(local), std::string(bytes)));
    }
  };
  waiting.add("receive", receive(*this, socket, waiting));
  co_return co_await waiting.run();
}

Task<void> Server::reply_later(udp::socket& socket, udp::endpoint to, Local local,
                               std::string bytes) {
  // Named first: g++ 12 would copy the argument bit by bit inside a co_await expression.
  Task<std::string> asking =
      answer_elsewhere(std::move(local), std::move(bytes), DnsForward::Transport::udp);
  const std::string answer = co_await std::move(asking);
  boost::system::error_code ignored;
  socket.send_to(asio::buffer(answer), to, 0, ignored);
}

Task<Result<void>> Server::serve_tcp(tcp::endpoint at) {
  boost::system::error_code error;
  tcp::acceptor acceptor(co_await asio::this_coro::executor);
  acceptor.open(at.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(at, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    co_return Error(Code::unavailable, "DNS on {} (TCP): {}", options_.address, error.message());
  TaskGroup connections(TaskGroup::WhenEmpty::keep_open);
  connections.add("accept", accept_all(acceptor, connections));
  co_return co_await connections.run();
}

Task<Result<void>> Server::accept_all(tcp::acceptor& acceptor, TaskGroup& connections) {
  for (;;) {
    boost::system::error_code error;
    tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      // Out of descriptors: later there may be some again.
      co_await clock_.sleep(std::chrono::milliseconds(100));
      continue;
    }
    if (connections.running() > kConnectionsMax) continue;  // closes it
    connections.add("connection", talk(std::move(socket)));
  }
}

// One message of a TCP stream; an error ends the connection.
Task<Result<std::string>> read_message(tcp::socket& socket) {
  boost::system::error_code error;
  unsigned char length[2];
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await asio::async_read(socket, asio::buffer(length), token);
  if (error) co_return Error(Code::unavailable, "{}", error.message());
  std::string bytes(static_cast<size_t>(length[0] << 8 | length[1]), '\0');
  co_await asio::async_read(socket, asio::buffer(bytes), token);
  if (error) co_return Error(Code::unavailable, "{}", error.message());
  co_return std::move(bytes);
}

Task<Result<void>> write_message(tcp::socket& socket, std::string bytes) {
  boost::system::error_code error;
  std::string framed{static_cast<char>(bytes.size() >> 8), static_cast<char>(bytes.size())};
  framed += bytes;
  co_await asio::async_write(socket, asio::buffer(framed),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return Error(Code::unavailable, "{}", error.message());
  co_return Result<void>();
}

Task<void> Server::talk(tcp::socket socket) {
  for (;;) {
    auto bytes = co_await with_deadline(clock_, kIdleMax, read_message(socket));
    if (!bytes) co_return;
    Local local = answer_locally(*bytes, 0);
    if (local.drop) co_return;
    answered_.add();
    std::string answer;
    if (local.answer) {
      answer = std::move(*local.answer);
    } else {
      Task<std::string> asking =
          answer_elsewhere(std::move(local), std::move(*bytes), DnsForward::Transport::tcp);
      answer = co_await std::move(asking);
    }
    const auto written =
        co_await with_deadline(clock_, kIdleMax, write_message(socket, std::move(answer)));
    if (!written) co_return;
  }
}

}  // namespace

std::unique_ptr<DnsServer> make_dns_server(DnsOptions options,
                                           client::Informer<ServiceObject> services,
                                           client::Informer<SliceObject> slices, Clock& clock,
                                           Random& random, Files& files, Metrics& metrics) {
  return std::make_unique<Server>(std::move(options), services, slices, clock, random, files,
                                  metrics);
}

}  // namespace kinglet::network
