#include "apiserver/http_proxy.h"

#include "apiserver/errors.h"
#include "apiserver/node_proxy.h"
#include "apiserver/server.h"
#include "base/task.h"
#include "net/client.h"

namespace kinglet::apiserver {
namespace {

constexpr size_t kAnswerBytesMax = 16 << 20;
constexpr auto kTimeout = std::chrono::seconds(60);

const schema::Resource& resource(std::string_view group, std::string_view plural) {
  const auto* found = schema::find_resource(group, "v1", plural);
  KL_ASSERT(found != nullptr, "the catalogue lacks {}", plural);
  return *found;
}

const json::Array& items(const json::Value& object, std::initializer_list<std::string_view> path) {
  static const json::Array none;
  const auto* list = json::find(object, path);
  return list && list->is_array() ? list->get_array() : none;
}

std::string lower(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

struct Backend {
  std::string address;
  int64_t port = 0;
};

bool number(const std::string& text, int64_t& out) {
  if (text.empty() || text.size() > 5) return false;
  out = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + (c - '0');
  }
  return out > 0 && out <= 65535;
}

Result<Backend> pod_backend(const Reader& reader, const std::string& ns, const ProxyName& name) {
  KL_TRY_FN(pod, reader.get(resource("", "pods"), ns, name.name));
  Backend out;
  out.address = json::text_at(pod, {"status", "podIP"});
  if (!name.port.empty() && !number(name.port, out.port))
    return Error(Code::bad_request, "invalid pod request \"{}:{}\"", name.name, name.port);
  for (const auto& container : items(pod, {"spec", "containers"})) {
    for (const auto& port : items(container, {"ports"}))
      if (out.port == 0) out.port = json::int_at(port, {"containerPort"});
  }
  if (out.port == 0) out.port = name.scheme == "https" ? 443 : 80;
  return out;
}

// The name of the service's port that was asked for (ports without names have the name "").
Result<std::string> service_port(const json::Value& service, const ProxyName& name) {
  const auto& ports = items(service, {"spec", "ports"});
  if (name.port.empty() && ports.size() == 1)
    return std::string(json::text_at(ports.front(), {"name"}));
  int64_t wanted = 0;
  const bool numeric = number(name.port, wanted);
  for (const auto& port : ports) {
    const auto port_name = json::text_at(port, {"name"});
    if (numeric ? json::int_at(port, {"port"}) == wanted : port_name == name.port)
      return std::string(port_name);
  }
  return Error(Code::service_unavailable, "no service port \"{}\" found for service \"{}\"",
               name.port, name.name);
}

Result<Backend> service_backend(const Reader& reader, Random& random, const std::string& ns,
                                const ProxyName& name) {
  KL_TRY_FN(service, reader.get(resource("", "services"), ns, name.name));
  KL_TRY_FN(port_name, service_port(service, name));
  std::vector<Backend> all;
  for (const auto& slice : reader.list(resource("discovery.k8s.io", "endpointslices"), ns)) {
    if (json::text_at(slice, {"metadata", "labels", "kubernetes.io/service-name"}) != name.name)
      continue;
    int64_t port = 0;
    for (const auto& row : items(slice, {"ports"}))
      if (json::text_at(row, {"name"}) == port_name) port = json::int_at(row, {"port"});
    if (port == 0) continue;
    for (const auto& endpoint : items(slice, {"endpoints"})) {
      if (!json::bool_at(endpoint, {"conditions", "ready"}, true)) continue;
      const auto& addresses = items(endpoint, {"addresses"});
      if (!addresses.empty() && addresses.front().is_string())
        all.push_back({std::string(addresses.front().get_string()), port});
    }
  }
  if (all.empty())
    return Error(Code::service_unavailable, "no endpoints available for service \"{}\"", name.name);
  return all[random.below(all.size())];
}

// Headers of one connection, and those that are ours to set.
bool travels(const std::string& name) {
  static const std::vector<std::string> kStay = {"connection",
                                                 "keep-alive",
                                                 "proxy-authenticate",
                                                 "te",
                                                 "proxy-authorization",
                                                 "trailer",
                                                 "upgrade",
                                                 "transfer-encoding",
                                                 "content-length",
                                                 "host",
                                                 "audit-id",
                                                 "proxy-connection"};
  return std::find(kStay.begin(), kStay.end(), lower(name)) == kStay.end();
}

net::Headers travelling(const net::Headers& headers) {
  net::Headers out;
  for (const auto& [name, value] : headers.rows())
    if (travels(name) && !name.starts_with(':')) out.add(name, value);
  return out;
}

class HttpProxy final : public Extension {
 public:
  HttpProxy(const Reader& reader, Clock& clock, Random& random)
      : reader_(reader), clock_(clock), random_(random) {}

  bool serves(const RequestInfo& info) const override {
    return info.resource && info.group.empty() && !info.name.empty() &&
           info.subresource == "proxy" && (info.plural == "pods" || info.plural == "services");
  }

  Task<void> serve(net::Exchange& exchange, const RequestInfo& info, const User&) override {
    auto answered = co_await forward(exchange, info);
    if (answered) co_return;
    const Error error = answered.error();
    co_await respond_error(exchange, error);
  }

 private:
  Task<Result<void>> forward(net::Exchange& exchange, const RequestInfo& info) {
    auto& request = exchange.request();
    if (!request.headers.get("upgrade").empty() || request.method == "CONNECT")
      co_return Error(Code::bad_request, "this proxy does not upgrade connections");
    KL_TRY(url, proxy_url(reader_, random_, info, request));
    net::ClientRequest onward;
    onward.method = request.method;
    onward.url = std::move(url);
    onward.headers = travelling(request.headers);
    strip_credentials(onward.headers);
    onward.tls.verify = false;  // pods have certificates of their own making, if any
    onward.timeout = kTimeout;
    onward.body_bytes_max = kAnswerBytesMax;
    KL_TRY(body, co_await exchange.read_body(kBodyBytesMax));
    onward.body = std::move(body);
    auto fetching = net::fetch(clock_, std::move(onward));
    auto answer = co_await std::move(fetching);
    if (!answer)
      co_return Error(Code::service_unavailable, "error trying to reach service: {}",
                      answer.error().message());
    net::Headers headers = travelling(answer->headers);
    std::vector<Bytes> pieces;
    pieces.emplace_back(answer->body);
    auto sent = co_await exchange.respond(answer->status, std::move(headers), std::move(pieces));
    (void)sent;  // a peer that has gone needs no answer
    co_return Result<void>();
  }

  const Reader& reader_;
  Clock& clock_;
  Random& random_;
};

}  // namespace

bool proxyable_address(const std::string& text) {
  boost::system::error_code failed;
  auto address = boost::asio::ip::make_address(text, failed);
  if (failed) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
  if (address.is_loopback() || address.is_multicast() || address.is_unspecified()) return false;
  if (address.is_v6()) return !address.to_v6().is_link_local();
  return (address.to_v4().to_uint() >> 16) != 0xa9fe;  // 169.254/16
}

Result<std::string> proxy_url(const Reader& reader, Random& random, const RequestInfo& info,
                              const net::Request& request) {
  const auto name = split_proxy_name(info.name);
  if (!name.scheme.empty() && name.scheme != "http" && name.scheme != "https")
    return Error(Code::bad_request, "invalid proxy request \"{}\"", info.name);
  KL_TRY_FN(backend, info.plural == "pods" ? pod_backend(reader, info.ns, name)
                                           : service_backend(reader, random, info.ns, name));
  if (!proxyable_address(backend.address)) return Error(Code::bad_request, "address not allowed");
  const bool v6 = backend.address.find(':') != std::string::npos;
  // A path that ends in a slash asks for something else than one that does not.
  const bool slash = !info.rest.empty() && info.path.ends_with('/') && !info.rest.ends_with('/');
  return fmt::format("{}://{}{}{}:{}/{}{}{}", name.scheme.empty() ? "http" : name.scheme,
                     v6 ? "[" : "", backend.address, v6 ? "]" : "", backend.port,
                     percent_encode(info.rest, "/:"), slash ? "/" : "", raw_query(request.target));
}

std::unique_ptr<Extension> make_http_proxy(const Reader& reader, Clock& clock, Random& random) {
  return std::make_unique<HttpProxy>(reader, clock, random);
}

}  // namespace kinglet::apiserver
