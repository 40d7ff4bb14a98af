#include "node/kubelet_api.h"

#include "base/log.h"
#include "base/task.h"
#include "json/json.h"
#include "node/exec_stream.h"
#include "node/log_stream.h"
#include "node/port_forward.h"

namespace kinglet::node {
namespace {
constexpr size_t kNameBytesMax = 253;

// "/exec/ns/pod/uid/container" in its parts; false: more, fewer or empty ones.
bool split_path(const std::string& path, std::vector<std::string>& parts) {
  size_t at = 1;
  while (at <= path.size()) {
    const size_t end = std::min(path.find('/', at), path.size());
    parts.push_back(path.substr(at, end - at));
    if (parts.back().empty() || parts.back().size() > kNameBytesMax || parts.size() > 5)
      return false;
    at = end + 1;
  }
  return true;
}

// What a DNS name may hold: nothing of it means anything to a file system.
bool valid_name(const std::string& name) {
  return name != "." && name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

Result<void> check_names(const std::vector<std::string>& parts) {
  for (size_t i = 1; i < parts.size(); ++i)
    if (!valid_name(parts[i])) return Error(Code::bad_request, "\"{}\" is not a name", parts[i]);
  return {};
}

class KubeletApi final : public net::Handler {
 public:
  KubeletApi(ContainerAccess& containers, Clock& clock) : containers_(containers), clock_(clock) {}

  Task<void> serve(net::Exchange& exchange) override {
    const auto done = co_await route(exchange);
    if (done) co_return;
    if (exchange.started()) {
      // The status line is out: the client learns from the cut stream.
      log_.debug("stream ended", kv("path", exchange.request().path), kv("error", done.error()));
      co_return;
    }
    const Error error = done.error();
    co_await refuse(exchange, error);
  }

 private:
  Task<Result<void>> route(net::Exchange& exchange) {
    std::vector<std::string> parts;
    const bool split = split_path(exchange.request().path, parts);
    const std::string& method = exchange.request().method;
    const Error no_page(Code::not_found, "the server could not find the requested resource");
    if (!split || parts.size() < 3) co_return no_page;
    const std::string& verb = parts[0];
    if (verb == "portForward") co_return co_await forward(exchange, std::move(parts));
    const bool log = verb == "containerLogs", exec = verb == "exec", attach = verb == "attach";
    if (!log && !exec && !attach) co_return no_page;
    if (parts.size() == 5) parts.erase(parts.begin() + 3);  // the uid
    if (parts.size() != 4) co_return no_page;
    KL_CHECK(check_names(parts));
    if (method != "GET" && (log || method != "POST"))
      co_return Error(Code::method_not_allowed, "the method {} is not allowed here", method);
    LogTarget target{parts[1], parts[2], parts[3]};
    if (log) {
      KL_TRY(options, parse_log_options(exchange.request(), clock_.wall()));
      auto sending = send_log(containers_, clock_, exchange, std::move(target), options);
      co_return co_await std::move(sending);
    }
    auto streaming =
        streams(exchange, std::move(target), exec ? StreamKind::exec : StreamKind::attach);
    co_return co_await std::move(streaming);
  }

  // /portForward/<ns>/<pod>[/<uid>]
  Task<Result<void>> forward(net::Exchange& exchange, std::vector<std::string> parts) {
    if (parts.size() > 4)
      co_return Error(Code::not_found, "the server could not find the requested resource");
    KL_CHECK(check_names(parts));
    KL_TRY(netns, containers_.network_namespace(parts[1], parts[2]));
    auto dial = dial_in_namespace(netns, clock_);
    co_return co_await serve_port_forward(exchange, clock_, std::move(dial));
  }

  Task<Result<void>> streams(net::Exchange& exchange, LogTarget target, StreamKind kind) {
    KL_TRY(options, parse_stream_options(exchange.request(), kind));
    KL_TRY(view, containers_.find_container(target.ns, target.pod, target.container));
    if (view.state != ContainerView::State::running)
      co_return Error(Code::bad_request, "container \"{}\" in pod \"{}\" is not running",
                      target.container, target.pod);
    if (kind == StreamKind::attach) {
      options.tty = view.tty;
      options.in = options.in && view.stdin_open;
      options.err = options.err && !view.tty;
    }
    auto serving = serve_streams(containers_, exchange, view.id, kind, std::move(options));
    co_return co_await std::move(serving);
  }

  static Task<void> refuse(net::Exchange& exchange, Error error) {
    const int code = http_status_of(error.code());
    json::Object status;
    status["kind"] = "Status";
    status["apiVersion"] = "v1";
    status["metadata"] = json::Object();
    status["status"] = "Failure";
    status["message"] = error.message();
    status["reason"] = reason_of(error.code());
    status["code"] = code;
    std::string text = json::print(json::Value(std::move(status))) + "\n";
    const std::string type = "application/json";
    const auto sent = co_await net::respond_text(exchange, code, std::move(text), type);
    (void)sent;  // the client has gone
  }

  ContainerAccess& containers_;
  Clock& clock_;
  Log log_{"kubelet-api"};
};
}  // namespace

std::unique_ptr<net::Handler> make_kubelet_api(ContainerAccess& containers, Clock& clock) {
  return std::make_unique<KubeletApi>(containers, clock);
}

}  // namespace kinglet::node
