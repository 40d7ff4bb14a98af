#include "apiserver/node_proxy.h"

#include <charconv>

#include "apiserver/auth/bearer.h"
#include "apiserver/errors.h"
#include "apiserver/internal/negotiate.h"
#include "base/task.h"
#include "schema/causes.h"

namespace kinglet::apiserver {
namespace {

constexpr std::string_view kKubeletPort = "10250";

const schema::Resource& core(std::string_view plural) {
  const auto* found = schema::find_resource("", "v1", plural);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", plural);
  return *found;
}

std::vector<std::string> container_names(const json::Value& pod, std::string_view list) {
  std::vector<std::string> out;
  const auto* containers = json::find(pod, {"spec", list});
  if (!containers || !containers->is_array()) return out;
  for (const auto& container : containers->get_array())
    out.emplace_back(json::text_at(container, {"name"}));
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

Result<std::string> choose_container(const json::Value& pod, const std::string& pod_name,
                                     const std::string& asked) {
  const auto containers = container_names(pod, "containers");
  const auto init = container_names(pod, "initContainers");
  const auto ephemeral = container_names(pod, "ephemeralContainers");
  if (!asked.empty()) {
    for (const auto* list : {&containers, &init, &ephemeral})
      if (std::find(list->begin(), list->end(), asked) != list->end()) return asked;
    return Error(Code::bad_request, "container {} is not valid for pod {}", asked, pod_name);
  }
  if (containers.size() == 1) return containers.front();
  std::string message =
      fmt::format("a container name must be specified for pod {}, choose one of: [{}]", pod_name,
                  joined(containers));
  if (!init.empty()) message += fmt::format(" or one of the init containers: [{}]", joined(init));
  if (!ephemeral.empty())
    message += fmt::format(" or one of the ephemeral containers: [{}]", joined(ephemeral));
  return Error(Code::bad_request, std::move(message));
}

class Query {
 public:
  void add(std::string_view name, std::string_view value) {
    text_ += fmt::format("{}{}={}", text_.empty() ? '?' : '&', name, percent_encode(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

bool truthy(const std::string* value) {
  return value && *value != "0" && *value != "false" && !value->empty();
}

Result<int64_t> number(const std::string& text, std::string_view name) {
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size())
    return Error(Code::bad_request, "unable to decode query parameter {}: invalid number \"{}\"",
                 name, text);
  return value;
}

Result<std::string> log_query(const net::Request& request, const std::string& pod_name) {
  Query query;
  schema::Causes causes;
  for (const auto* name : {"follow", "previous", "timestamps"})
    if (truthy(request.query_value(name))) query.add(name, "true");
  struct Number {
    const char* name;
    int64_t least;
    const char* complaint;
  };
  constexpr Number kNumbers[] = {{"tailLines", 0, "must be greater than or equal to 0"},
                                 {"limitBytes", 1, "must be greater than 0"},
                                 {"sinceSeconds", 1, "must be greater than 0"}};
  for (const auto& [name, least, complaint] : kNumbers) {
    const auto* text = request.query_value(name);
    if (!text || text->empty()) continue;
    KL_TRY_FN(value, number(*text, name));
    if (value < least) schema::add_invalid(causes, schema::Path(name), value, complaint);
    query.add(name, *text);
  }
  const auto* since = request.query_value("sinceTime");
  if (since && !since->empty()) {
    if (const auto* seconds = request.query_value("sinceSeconds"); seconds && !seconds->empty())
      schema::add_forbidden(causes, schema::Path("sinceSeconds"),
                            "at most one of `sinceTime` or `sinceSeconds` may be specified");
    if (!parse_rfc3339(*since)) return Error(Code::bad_request, "sinceTime is no RFC 3339 time");
    query.add("sinceTime", *since);
  }
  if (!causes.empty())
    return schema::invalid_error("PodLogOptions", "", pod_name, std::move(causes));
  return query.text();
}

// The API says stdin, stdout and stderr; the kubelet input, output and error.
std::string stream_query(const net::Request& request) {
  Query query;
  constexpr std::pair<const char*, const char*> kFlags[] = {
      {"stdin", "input"}, {"stdout", "output"}, {"stderr", "error"}, {"tty", "tty"}};
  for (const auto& [ours, theirs] : kFlags)
    if (truthy(request.query_value(ours))) query.add(theirs, "1");
  for (const auto& word : request.query_values("command")) query.add("command", word);
  return query.text();
}

std::string ports_query(const net::Request& request) {
  Query query;
  for (const auto& ports : request.query_values("ports")) query.add("port", ports);
  return query.text();
}

Result<NodeCall> plan_pod_call(const Reader& reader, const RequestInfo& info,
                               const net::Request& request) {
  KL_TRY_FN(pod, reader.get(core("pods"), info.ns, info.name));
  NodeCall call;
  call.node = json::text_at(pod, {"spec", "nodeName"});
  const std::string place =
      fmt::format("{}/{}", percent_encode(info.ns), percent_encode(info.name));
  if (info.subresource == "portforward") {
    call.target = fmt::format("/portForward/{}{}", place, ports_query(request));
  } else {
    const auto* asked = request.query_value("container");
    KL_TRY_FN(container, choose_container(pod, info.name, asked ? *asked : std::string()));
    const bool log = info.subresource == "log";
    std::string query;
    if (log) {
      KL_TRY_FN(checked, log_query(request, info.name));
      query = std::move(checked);
    } else {
      query = stream_query(request);
    }
    call.target = fmt::format("/{}/{}/{}{}", log ? "containerLogs" : info.subresource, place,
                              percent_encode(container), query);
    if (log) return call;
  }
  if (call.node.empty())
    return Error(Code::bad_request, "pod {} does not have a host assigned", info.name);
  return call;
}

Result<NodeCall> plan_proxy_call(const Reader& reader, const RequestInfo& info,
                                 const net::Request& request) {
  const auto name = split_proxy_name(info.name);
  if (!reader.exists(core("nodes"), "", name.name))
    return not_found_error(core("nodes"), name.name);
  if (!name.port.empty() && name.port != kKubeletPort)
    return Error(Code::bad_request, "only the kubelet's port {} of a node can be reached",
                 kKubeletPort);
  return NodeCall{name.name,
                  fmt::format("/{}{}", percent_encode(info.rest, "/:"), raw_query(request.target))};
}

class NodeProxy final : public Extension {
 public:
  NodeProxy(const Reader& reader, client::NodeEndpoints& nodes) : reader_(reader), nodes_(nodes) {}

  bool serves(const RequestInfo& info) const override {
    if (!info.resource || !info.group.empty() || info.name.empty()) return false;
    if (info.plural == "nodes") return info.subresource == "proxy";
    if (info.plural != "pods") return false;
    const auto& sub = info.subresource;
    return sub == "log" || sub == "exec" || sub == "attach" || sub == "portforward";
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    auto& request = exchange.request();
    auto call = plan(info, request);
    if (!call) {
      const Error error = call.error();
      co_await respond_error(exchange, error);
      co_return;
    }
    if (call->node.empty()) {
      std::string nothing, type = "text/plain";
      auto sent = co_await net::respond_text(exchange, 200, std::move(nothing), std::move(type));
      (void)sent;
      co_return;
    }
    auto* handler = nodes_.find(call->node);
    if (!handler) {
      const Error error(Code::service_unavailable,
                        "error dialing backend: node \"{}\" is not connected", call->node);
      co_await respond_error(exchange, error);
      co_return;
    }
    request.target = std::move(call->target);
    request.query.clear();
    if (auto split = net::split_target(request); !split) {
      const Error error = split.error();
      co_await respond_error(exchange, error);
      co_return;
    }
    strip_credentials(request.headers);
    co_await handler->serve(exchange);
  }

 private:
  Result<NodeCall> plan(const RequestInfo& info, const net::Request& request) const {
    if (info.plural == "pods") {
      const bool log = info.subresource == "log";
      const bool fits = request.method == "GET" ||
                        (!log && (request.method == "POST" || request.method == "CONNECT"));
      if (!fits) return method_not_supported(*info.resource, info.verb);
    }
    return plan_node_call(reader_, info, request);
  }

  const Reader& reader_;
  client::NodeEndpoints& nodes_;
};

}  // namespace

Result<NodeCall> plan_node_call(const Reader& reader, const RequestInfo& info,
                                const net::Request& request) {
  return info.plural == "nodes" ? plan_proxy_call(reader, info, request)
                                : plan_pod_call(reader, info, request);
}

void strip_credentials(net::Headers& headers) {
  headers.remove("authorization");
  std::vector<std::string> dropped;
  std::string protocols;
  for (const auto& [name, value] : headers.rows()) {
    std::string lower = name;
    for (auto& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (lower.starts_with("impersonate-") || lower.starts_with("x-remote-"))
      dropped.push_back(name);
    if (lower != "sec-websocket-protocol") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      auto protocol = rest.substr(0, comma);
      rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
      while (!protocol.empty() && protocol.front() == ' ') protocol.remove_prefix(1);
      while (!protocol.empty() && protocol.back() == ' ') protocol.remove_suffix(1);
      if (protocol.empty() || carries_token(protocol)) continue;
      protocols += (protocols.empty() ? "" : ", ") + std::string(protocol);
    }
  }
  for (const auto& name : dropped) headers.remove(name);
  headers.remove("sec-websocket-protocol");
  if (!protocols.empty()) headers.add("Sec-WebSocket-Protocol", std::move(protocols));
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || keep.find(c) != keep.npos;
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

ProxyName split_proxy_name(std::string_view text) {
  const auto first = text.find(':');
  if (first == text.npos) return {"", std::string(text), ""};
  const auto second = text.find(':', first + 1);
  const std::string head(text.substr(0, first));
  if (second != text.npos)
    return {head, std::string(text.substr(first + 1, second - first - 1)),
            std::string(text.substr(second + 1))};
  // "http:web" has a scheme, "web:8080" a port.
  if (head == "http" || head == "https") return {head, std::string(text.substr(first + 1)), ""};
  return {"", head, std::string(text.substr(first + 1))};
}

std::string_view raw_query(std::string_view target) {
  const auto question = target.find('?');
  return question == target.npos ? std::string_view() : target.substr(question);
}

std::unique_ptr<Extension> make_node_proxy(const Reader& reader, client::NodeEndpoints& nodes) {
  return std::make_unique<NodeProxy>(reader, nodes);
}

}  // namespace kinglet::apiserver
