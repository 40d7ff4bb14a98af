#include "node/exec_stream.h"

#include "base/task.h"
#include "base/task_group.h"
#include "net/websocket_offer.h"

namespace kinglet::node {
namespace {
constexpr size_t kCommandWordsMax = 1000;
constexpr uint16_t kNormalClosure = 1000;

Result<bool> flag(const net::Request& request, const char* name, const char* api_name) {
  const auto* text = request.query_value(name);
  if (!text) text = request.query_value(api_name);
  if (!text) return false;
  if (*text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0" || text->empty()) return false;
  return Error(Code::bad_request, "{}: \"{}\" is not true or false", name, *text);
}

class StreamSession {
 public:
  StreamSession(net::WebSocket& socket, runtime::Session& session, ChannelProtocol protocol,
                StreamOptions options)
      : socket_(socket),
        session_(session),
        protocol_(std::move(protocol)),
        options_(std::move(options)) {}

  // Until the process has ended, or the client has left.
  Task<Result<void>> run() {
    group_.add("from client", from_client());
    group_.add("to client", to_client());
    co_return co_await group_.run();
  }

 private:
  Task<Result<void>> from_client() {
    for (;;) {
      auto message = co_await socket_.read();
      if (!message) co_return message.error();
      if (!*message) {
        group_.cancel();  // closed by the client: nobody is left to talk to
        co_return Result<void>();
      }
      KL_TRY(part, decode_message(protocol_, std::move((*message)->data)));
      if (part.channel == kCloseChannel) {
        if (part.closes == static_cast<uint8_t>(Channel::in)) session_.close_stdin();
      } else if (part.channel == static_cast<uint8_t>(Channel::in)) {
        // A process that has closed its stdin is no error of the client's: what it still sends is
        // dropped.
        if (!options_.in || part.data.empty()) continue;
        const auto written = co_await session_.write(std::move(part.data));
        (void)written;
      } else if (part.channel == static_cast<uint8_t>(Channel::resize) && options_.tty) {
        const auto size = parse_terminal_size(part.data);
        if (!size) continue;
        const auto resized = session_.resize(size->rows, size->columns);
        (void)resized;  // the process may have ended meanwhile
      }
    }
  }

  Task<Result<void>> to_client() {
    for (;;) {
      KL_TRY(chunk, co_await session_.read());
      if (chunk.stream == runtime::Chunk::Stream::end) break;
      const bool err = chunk.stream == runtime::Chunk::Stream::err;
      if (!(err ? options_.err : options_.out)) continue;
      KL_CHECK(co_await send(err ? Channel::err : Channel::out, chunk.data));
    }
    const auto code = co_await session_.wait();
    const std::string last =
        code ? exit_message(protocol_, *code) : failure_message(protocol_, code.error());
    if (!last.empty()) KL_CHECK(co_await send(Channel::error, last));
    const std::string no_reason;
    KL_CHECK(co_await socket_.close(kNormalClosure, no_reason));
    group_.cancel();
    co_return Result<void>();
  }

  Task<Result<void>> send(Channel channel, std::string_view data) {
    const std::string message = encode_message(protocol_, channel, data);
    co_return co_await socket_.write(message, !protocol_.text);
  }

  net::WebSocket& socket_;
  runtime::Session& session_;
  const ChannelProtocol protocol_;
  const StreamOptions options_;
  TaskGroup group_;
};

Task<Result<std::unique_ptr<runtime::Session>>> open(ContainerAccess& containers, std::string id,
                                                     StreamKind kind,
                                                     const StreamOptions& options) {
  if (kind == StreamKind::attach) co_return co_await containers.attach(std::move(id));
  runtime::ExecOptions exec;
  exec.argv = options.command;
  exec.tty = options.tty;
  exec.stdin_open = options.in;
  auto starting = containers.exec(std::move(id), std::move(exec));
  co_return co_await std::move(starting);
}
}  // namespace

Result<StreamOptions> parse_stream_options(const net::Request& request, StreamKind kind) {
  StreamOptions options;
  KL_TRY_FN(in, flag(request, "input", "stdin"));
  KL_TRY_FN(out, flag(request, "output", "stdout"));
  KL_TRY_FN(err, flag(request, "error", "stderr"));
  KL_TRY_FN(tty, flag(request, "tty", "tty"));
  options = {in, out, err && !tty, tty,
             request.query_values("command")};  // a terminal has one output
  if (!in && !out && !err)
    return Error(Code::bad_request, "you must specify at least 1 of stdin, stdout, stderr");
  if (kind == StreamKind::exec && options.command.empty())
    return Error(Code::bad_request, "you must specify at least one command for the container");
  if (options.command.size() > kCommandWordsMax)
    return Error(Code::bad_request, "a command of more than {} words", kCommandWordsMax);
  return options;
}

Task<Result<void>> serve_streams(ContainerAccess& containers, net::Exchange& exchange,
                                 std::string id, StreamKind kind, StreamOptions options) {
  const auto protocol = choose_protocol(net::offered_protocols(exchange.request()));
  if (!protocol)
    co_return Error(Code::bad_request, "the client offers no *.channel.k8s.io WebSocket protocol");
  KL_TRY(socket, co_await exchange.accept_websocket(protocol->name));
  // An empty message on the lowest stream tells the client that the connection is established.
  const Channel lowest = options.out ? Channel::out : options.err ? Channel::err : Channel::error;
  const std::string hello = encode_message(*protocol, lowest, "");
  KL_CHECK(co_await socket->write(hello, !protocol->text));
  auto session = co_await open(containers, std::move(id), kind, options);
  if (!session) {
    const std::string failure =
        encode_message(*protocol, Channel::error, failure_message(*protocol, session.error()));
    KL_CHECK(co_await socket->write(failure, !protocol->text));
    const std::string no_reason;
    co_return co_await socket->close(kNormalClosure, no_reason);
  }
  StreamSession streams(*socket, **session, *protocol, std::move(options));
  co_return co_await streams.run();
}

}  // namespace kinglet::node
