#include "node/network/dns_forward.h"

#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "base/deadline.h"
#include "base/task.h"
#include "node/network/dns_message.h"
#include "node/network/dns_server.h"

namespace kinglet::network {
namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

namespace {
constexpr uint16_t kPort = 53;
constexpr Duration kPatience =
    std::chrono::seconds(2);  // with one server; resolvers in pods wait for 5
constexpr Duration kReadAgainAfter = std::chrono::seconds(5);
constexpr size_t kAtOnceMax = 256;  // each has a socket
constexpr int kStrayMax = 8;        // answers to something else on one socket

Error gone(const boost::system::error_code& error) {
  return Error(Code::unavailable, "{}", error.message());
}

Task<Result<std::string>> ask_udp(asio::ip::address server, std::string query, uint16_t id) {
  boost::system::error_code error;
  const udp::endpoint to(server, kPort);
  udp::socket socket(co_await asio::this_coro::executor, to.protocol());  // a random port each time
  auto token = asio::redirect_error(asio::use_awaitable, error);
  // Connected: the kernel drops what others send, and tells when nobody listens there.
  socket.connect(to, error);
  if (error) co_return gone(error);
  co_await socket.async_send(asio::buffer(query), token);
  if (error) co_return gone(error);
  std::string answer(kDnsMessageBytesMax, '\0');
  for (int stray = 0; stray < kStrayMax; ++stray) {
    const size_t size = co_await socket.async_receive(asio::buffer(answer), token);
    if (error) co_return gone(error);
    if (is_answer_to(std::string_view(answer).substr(0, size), query, id)) {
      answer.resize(size);
      co_return std::move(answer);
    }
  }
  co_return Error(Code::unavailable, "only answers to other questions");
}

Task<Result<std::string>> ask_tcp(asio::ip::address server, std::string query, uint16_t id) {
  boost::system::error_code error;
  tcp::socket socket(co_await asio::this_coro::executor);
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const tcp::endpoint to(server, kPort);
  co_await socket.async_connect(to, token);
  if (error) co_return gone(error);
  std::string framed{static_cast<char>(query.size() >> 8), static_cast<char>(query.size())};
  framed += query;
  co_await asio::async_write(socket, asio::buffer(framed), token);
  if (error) co_return gone(error);
  unsigned char length[2];
  co_await asio::async_read(socket, asio::buffer(length), token);
  if (error) co_return gone(error);
  std::string answer(static_cast<size_t>(length[0] << 8 | length[1]), '\0');
  co_await asio::async_read(socket, asio::buffer(answer), token);
  if (error) co_return gone(error);
  if (!is_answer_to(answer, query, id))
    co_return Error(Code::unavailable, "an answer to another question");
  co_return std::move(answer);
}

class Forward final : public DnsForward {
 public:
  Forward(std::string resolv_conf, std::string own, Clock& clock, Random& random, Files& files)
      : resolv_conf_(std::move(resolv_conf)),
        own_(std::move(own)),
        clock_(clock),
        random_(random),
        files_(files) {}

  Task<Result<std::string>> ask(std::string query, Transport transport) override {
    if (query.size() < 2) co_return Error(Code::unavailable, "not a query");
    if (asking_ >= kAtOnceMax) co_return Error(Code::unavailable, "too many questions at once");
    struct Count {
      size_t& asking;
      explicit Count(size_t& n) : asking(n) { ++asking; }
      ~Count() { --asking; }
    } count(asking_);
    const auto client_id = static_cast<uint16_t>(static_cast<unsigned char>(query[0]) << 8 |
                                                 static_cast<unsigned char>(query[1]));
    Error why(Code::unavailable, "no name server in {}", resolv_conf_);
    const std::vector<std::string> servers = upstreams();
    for (const auto& server : servers) {
      boost::system::error_code bad;
      const auto address = asio::ip::make_address(server, bad);
      if (bad) continue;
      // Our own id: those of clients may be guessed.
      const auto id = static_cast<uint16_t>(random_.below(65536));
      std::string sent = with_id(query, id);
      Task<Result<std::string>> asking = transport == Transport::udp
                                             ? ask_udp(address, std::move(sent), id)
                                             : ask_tcp(address, std::move(sent), id);
      auto answer = co_await with_deadline(clock_, kPatience, std::move(asking));
      if (answer) co_return with_id(*answer, client_id);
      why = std::move(answer.error()).with_context(server);
    }
    co_return why;
  }

 private:
  const std::vector<std::string>& upstreams() {
    if (read_at_ && clock_.now() - *read_at_ < kReadAgainAfter) return upstreams_;
    read_at_ = clock_.now();
    const auto text = read_file(files_, resolv_conf_);
    upstreams_ = text ? upstreams_of(*text, own_) : std::vector<std::string>();
    return upstreams_;
  }

  std::string resolv_conf_, own_;
  Clock& clock_;
  Random& random_;
  Files& files_;
  std::optional<TimePoint> read_at_;
  std::vector<std::string> upstreams_;
  size_t asking_ = 0;
};
}  // namespace

std::vector<std::string> upstreams_of(std::string_view text, const std::string& own) {
  std::vector<std::string> out;
  while (!text.empty() && out.size() < kUpstreamsMax) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) continue;
    const size_t from = line.find_first_not_of(" \t", kWord.size());
    if (from == std::string_view::npos || from == kWord.size()) continue;
    const size_t to = std::min(line.find_first_of(" \t\r#;", from), line.size());
    std::string address(line.substr(from, to - from));
    boost::system::error_code bad;
    asio::ip::make_address(address, bad);
    if (!bad && address != own) out.push_back(std::move(address));
  }
  return out;
}

std::unique_ptr<DnsForward> make_dns_forward(std::string resolv_conf, std::string own, Clock& clock,
                                             Random& random, Files& files) {
  return std::make_unique<Forward>(std::move(resolv_conf), std::move(own), clock, random, files);
}

}  // namespace kinglet::network
