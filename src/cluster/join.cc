#include "cluster/join.h"

#include "base/deadline.h"
#include "base/log.h"
#include "base/task.h"
#include "base/task_group.h"
#include "client/http_api.h"
#include "client/object.h"
#include "client/remote_api.h"
#include "cluster/join_token.h"
#include "net/crypto.h"
#include "net/h2_client.h"

namespace kinglet::cluster {
namespace {

constexpr const char* kSigner = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr int64_t kValiditySeconds = 365 * 24 * 3600;
constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kCaBytesMax = 64 << 10;
constexpr Duration kPollFirst = 50ms, kPollMax = 1s;
constexpr Duration kSignPatience = 30s;
constexpr Duration kRequestTimeout = 15s;

std::string certificate_file(const std::string& dir) { return dir + "/client-kubelet.crt"; }
std::string key_file(const std::string& dir) { return dir + "/client-kubelet.key"; }
std::string ca_file(const std::string& dir) { return dir + "/server-ca.crt"; }

// One open connection as a client::Connection, with what proves who asks.
class Session final : public client::Connection {
 public:
  Session(net::H2Client& client, std::string authorization)
      : client_(client), authorization_(std::move(authorization)) {}
  Task<void> ready() override { co_return; }
  Task<Result<std::unique_ptr<net::H2Call>>> open(net::H2Request request) override {
    if (!authorization_.empty()) request.headers.set("authorization", authorization_);
    co_return client_.open(std::move(request));
  }

 private:
  net::H2Client& client_;
  const std::string authorization_;
};

struct Place {
  std::string url, proxy, bearer;
  net::ClientTls tls;
};

// Runs `work` over a connection to that place. `work` makes the task; both outlive the call.
using Work = std::function<Task<Result<std::string>>(client::Connection&)>;

Task<Result<std::string>> use_connection(Clock& clock, const Place& place, const Work& work) {
  net::H2Options options;
  options.url = place.url;
  options.proxy = place.proxy;
  options.tls = place.tls;
  auto connecting = net::connect_h2(clock, std::move(options));
  KL_TRY(client, co_await std::move(connecting));
  Session session(*client, place.bearer.empty() ? "" : "Bearer " + place.bearer);
  struct Keep {
    static Task<Result<void>> result(Task<Result<std::string>> task,
                                     std::optional<Result<std::string>>& out, TaskGroup& group) {
      out.emplace(co_await std::move(task));
      group.cancel();
      co_return Result<void>();
    }
  };
  std::optional<Result<std::string>> out;
  TaskGroup group;
  group.add("connection", client->run());
  group.add("request", Keep::result(work(session), out, group));
  const auto ended = co_await group.run();
  if (out) co_return std::move(*out);
  co_return ended ? Error(Code::unavailable, "no answer") : ended.error();
}

Task<Result<std::string>> get_text(client::Connection& connection, std::string target) {
  net::H2Request request;
  request.target = std::move(target);
  request.headers.add("accept", "application/json, text/plain");
  auto opening = connection.open(std::move(request));
  KL_TRY(call, co_await std::move(opening));
  KL_TRY(status, co_await call->status());
  KL_TRY(body, co_await net::read_all(*call, kCaBytesMax));
  if (status / 100 != 2) co_return client::error_of_status(status, body);
  co_return std::move(body);
}

Task<Result<std::string>> get_with_deadline(Clock& clock, client::Connection& connection,
                                            std::string target) {
  auto getting = get_text(connection, std::move(target));
  co_return co_await with_deadline(clock, kRequestTimeout, std::move(getting));
}

// The CA that the server shows, if the token vouches for it.
Task<Result<std::string>> trusted_ca(Clock& clock, const Place& place, const JoinToken& token) {
  Place anybody = place;
  anybody.tls = {};
  anybody.tls.verify = false;  // nothing secret is sent, and what comes is compared with the token
  anybody.bearer.clear();
  const Work get = [&clock](client::Connection& connection) {
    return get_with_deadline(clock, connection, "/cacerts");
  };
  KL_TRY(pem, co_await use_connection(clock, anybody, get));
  if (!fits_ca(token, pem))
    co_return Error(Code::unauthorized,
                    "the CA of {} is {}, the token was made for {}: the address belongs to another "
                    "cluster, or somebody "
                    "is in between. Take the address and the token from the same server",
                    place.url, ca_hash(pem), token.ca_hash);
  if (token.ca_hash.empty())
    Log("join").warn("the token names no CA: whoever answered is trusted", kv("server", place.url),
                     kv("ca", ca_hash(pem)));
  co_return std::move(pem);
}

Result<std::string> own_key(Files& files, const std::string& dir) {
  KL_CHECK_FN(files.make_dirs(dir, 0700));
  if (files.exists(key_file(dir))) return read_file(files, key_file(dir), kFileBytesMax);
  KL_TRY_FN(key, net::make_key());
  KL_CHECK_FN(write_file(files, key_file(dir), key, 0600));
  return std::move(key);
}

Error explained(Error error, const std::string& url) {
  if (error.code() == Code::unauthorized && error.message().ends_with("Unauthorized"))
    return Error(Code::unauthorized,
                 "{} does not accept the token: it is wrong or has expired. `kinglet token create` "
                 "on a server makes a new "
                 "one; server/node-token in its data directory has the one that does not expire",
                 url);
  return std::move(error).with_context(url);
}

Task<Result<NodeCredentials>> join_at(Clock& clock, Random& random, const JoinOptions& options,
                                      std::string url, const JoinToken& token, std::string key) {
  Place place;
  place.url = std::move(url);
  if (options.proxy_for) place.proxy = options.proxy_for(place.url);
  place.bearer = token.secret;
  NodeCredentials out;
  auto trusting = trusted_ca(clock, place, token);
  KL_TRY(ca, co_await std::move(trusting));
  out.ca_pem = std::move(ca);
  place.tls.ca_pem = out.ca_pem;
  place.tls.server_name = kServerName;
  const Work ask = [&](client::Connection& connection) -> Task<Result<std::string>> {
    struct Asking {
      static Task<Result<std::string>> run(client::Connection& connection, Clock& clock,
                                           Random& random, std::string node, std::string key) {
        const auto api = client::make_remote_api(clock, connection);
        co_return co_await request_certificate(*api, clock, random, std::move(node), std::move(key),
                                               kSignPatience);
      }
    };
    return Asking::run(connection, clock, random, options.node_name, key);
  };
  KL_TRY(certificate, co_await use_connection(clock, place, ask));
  out.client = {std::move(certificate), std::move(key)};
  co_return out;
}

const schema::Resource& csr_resource() {
  return client::resource("certificates.k8s.io", "v1", "certificatesigningrequests");
}

// What became of a request so far: the certificate, an error, or "" while it waits.
Result<std::string> outcome_of(const json::Value& object) {
  if (const auto text = json::text_at(object, {"status", "certificate"}); !text.empty())
    return net::from_base64(text);
  const auto* conditions = json::find(object, {"status", "conditions"});
  if (!conditions || !conditions->is_array()) return std::string();
  for (const auto& condition : conditions->as_array()) {
    const auto type = json::text_at(condition, {"type"});
    const std::string message(json::text_at(condition, {"message"}));
    if (type == "Denied")
      return Error(json::text_at(condition, {"reason"}) == "NodeNameTaken" ? Code::already_exists
                                                                           : Code::forbidden,
                   "the certificate request was denied: {}", message);
    if (type == "Failed")
      return Error(Code::invalid, "the certificate request failed: {}", message);
  }
  return std::string();
}

}  // namespace

net::ClientTls node_tls(const NodeCredentials& credentials) {
  net::ClientTls tls;
  tls.ca_pem = credentials.ca_pem;
  tls.server_name = kServerName;
  tls.key_pair = credentials.client;
  return tls;
}

Result<NodeCredentials> stored_credentials(Files& files, Clock& clock, const std::string& dir,
                                           const std::string& node_name) {
  NodeCredentials out;
  KL_TRY_FN(ca, read_file(files, ca_file(dir), kFileBytesMax));
  KL_TRY_FN(certificate, read_file(files, certificate_file(dir), kFileBytesMax));
  KL_TRY_FN(key, read_file(files, key_file(dir), kFileBytesMax));
  const auto info = net::read_certificate(certificate);
  if (!info)
    return Error(Code::invalid, "{} is damaged: {}", certificate_file(dir), info.error().message());
  if (info->common_name != "system:node:" + node_name)
    return Error(Code::not_found, "joined as {} before, not as {}", info->common_name, node_name);
  if (info->not_after <= clock.wall())
    return Error(Code::not_found, "the certificate ended on {}", rfc3339(info->not_after));
  out.ca_pem = std::move(ca);
  out.client = {std::move(certificate), std::move(key)};
  return out;
}

// The certificate is written last: while it is missing or does not fit, the next start joins again.
Result<void> store_credentials(Files& files, const std::string& dir,
                               const NodeCredentials& credentials) {
  KL_CHECK_FN(files.make_dirs(dir, 0700));
  KL_CHECK_FN(write_file(files, ca_file(dir), credentials.ca_pem, 0644));
  const auto old = read_file(files, key_file(dir), kFileBytesMax);
  if (!old || *old != credentials.client.key_pem) {
    if (files.exists(certificate_file(dir))) {
      KL_CHECK_FN(files.remove(certificate_file(dir)));
      KL_CHECK_FN(files.sync_dir(dir));
    }
    KL_CHECK_FN(write_file(files, key_file(dir), credentials.client.key_pem, 0600));
  }
  return write_file(files, certificate_file(dir), credentials.client.certificate_pem, 0644);
}

Task<Result<std::string>> request_certificate(client::Api& api, Clock& clock, Random& random,
                                              std::string node_name, std::string key_pem,
                                              Duration patience) {
  KL_TRY(csr, net::make_csr(key_pem, "system:node:" + node_name, {"system:nodes"}));
  const std::string name = "node-csr-" + random.name_suffix(10), everywhere;
  const json::Value object =
      json::Object{{"apiVersion", "certificates.k8s.io/v1"},
                   {"kind", "CertificateSigningRequest"},
                   {"metadata", json::Object{{"name", name}}},
                   {"spec", json::Object{{"request", net::base64(csr)},
                                         {"signerName", kSigner},
                                         {"expirationSeconds", kValiditySeconds},
                                         {"usages", json::Array{json::Value("digital signature"),
                                                                json::Value("client auth")}}}}};
  std::string text = json::print(object);
  auto creating = api.create(csr_resource(), everywhere, std::move(text));
  KL_TRY(created, co_await std::move(creating), "certificate request");
  (void)created;
  const TimePoint end = clock.now() + patience;
  Duration pause = kPollFirst;
  while (clock.now() < end) {
    co_await clock.sleep(pause);
    pause = std::min(pause * 2, kPollMax);
    auto getting = api.get(csr_resource(), everywhere, name);
    KL_TRY(stored, co_await std::move(getting), "certificate request {}", name);
    KL_TRY(parsed, json::parse(stored.view()));
    KL_TRY(certificate, outcome_of(parsed));
    if (!certificate.empty()) co_return std::move(certificate);
  }
  co_return Error(Code::timeout,
                  "the request {} waits for approval: kubectl certificate approve {}", name, name);
}

Task<Result<NodeCredentials>> join_cluster(Files& files, Clock& clock, Random& random,
                                           JoinOptions options) {
  KL_TRY(token, parse_join_token(options.token), "--token");
  KL_TRY(key, own_key(files, options.agent_dir));
  Error last(Code::invalid, "no --server is given");
  for (const auto& url : options.servers) {
    std::string server = url, own = key;
    auto joining = join_at(clock, random, options, std::move(server), token, std::move(own));
    auto credentials = co_await std::move(joining);
    if (credentials) {
      KL_CHECK(store_credentials(files, options.agent_dir, *credentials));
      co_return std::move(*credentials);
    }
    last = explained(std::move(credentials.error()), url);
    if (last.code() != Code::unavailable && last.code() != Code::timeout)
      break;  // another server says the same
  }
  co_return last;
}

bool renewal_due(const net::CertificateInfo& certificate, WallTime now) {
  return certificate.not_after.since_epoch - now.since_epoch <
         std::chrono::seconds(kValiditySeconds / 3);
}

Task<Result<std::string>> get_as_node(Clock& clock, JoinOptions options,
                                      NodeCredentials credentials, std::string target) {
  Error last(Code::unavailable, "no server is known");
  Place place;
  place.tls = node_tls(credentials);
  const Work get = [&](client::Connection& connection) {
    return get_with_deadline(clock, connection, target);
  };
  for (const auto& url : options.servers) {
    place.url = url;
    if (options.proxy_for) place.proxy = options.proxy_for(url);
    auto answer = co_await use_connection(clock, place, get);
    if (answer) co_return std::move(*answer);
    last = std::move(answer.error()).with_context(url);
  }
  co_return last;
}

}  // namespace kinglet::cluster
