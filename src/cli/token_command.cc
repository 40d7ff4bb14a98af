// `kinglet token`: bootstrap tokens as Secrets in kube-system, through the running server.
// Source: Kubernetes bootstrap tokens: Secrets of type bootstrap.kubernetes.io/token, id 6 and secret 16 of [a-z0-9].
#include <CLI/CLI.hpp>
#include <cstdio>

#include "api/core.h"
#include "base/task.h"
#include "cli/commands.h"
#include "cli/connection.h"
#include "cli/options.h"
#include "cluster/join_token.h"
#include "schema/structs.h"

namespace kinglet::cli {
namespace {

constexpr const char* kNamespace = "kube-system";
constexpr const char* kPrefix = "bootstrap-token-";
constexpr const char* kType = "bootstrap.kubernetes.io/token";
constexpr size_t kIdLength = 6, kSecretLength = 16;

const schema::Resource& secrets() { return schema::resource_of<api::Secret>(); }

// "24h", "90m", "0" (for ever).
Result<Duration> parse_ttl(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  const double seconds = unit == "h" ? 3600 : unit == "m" ? 60 : unit == "s" || (unit.empty() && value == 0) ? 1 : -1;
  if (end == text.c_str() || value < 0 || seconds < 0 || value * seconds > 3e8)
    return Error(Code::invalid, "--ttl \"{}\" is not a duration such as 24h, 30m or 0", text);
  return Duration(std::chrono::seconds(static_cast<int64_t>(value * seconds)));
}

std::string letters(Random& random, size_t length) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::string out;
  for (size_t i = 0; i < length; ++i) out += kAlphabet[random.below(kAlphabet.size())];
  return out;
}

Result<std::string> create(client::Api& api, Clock& clock, Random& random, const std::string& ttl,
                           const std::string& description) {
  KL_TRY_FN(lifetime, parse_ttl(ttl));
  const std::string id = letters(random, kIdLength), secret = letters(random, kSecretLength);
  api::Secret object;
  object.metadata.name = kPrefix + id;
  object.metadata.namespace_ = kNamespace;
  object.type = kType;
  object.data = {{"token-id", id},
                 {"token-secret", secret},
                 {"usage-bootstrap-authentication", "true"},
                 {"usage-bootstrap-signing", "true"},
                 {"auth-extra-groups", "system:bootstrappers:k3s:default-node-token"}};
  if (!description.empty()) object.data["description"] = description;
  if (lifetime > Duration::zero())
    object.data["expiration"] = rfc3339(
        {clock.wall().since_epoch + std::chrono::duration_cast<std::chrono::microseconds>(lifetime)});
  const auto created = run_to_end(api.create(secrets(), kNamespace, schema::to_text(object)));
  if (!created) return created.error();
  return id + "." + secret;
}

// A token may be named by its id or as a whole, K10<hash>:: or not.
std::string id_of(const std::string& text) {
  const auto hash = text.find("::");
  return text.substr(hash == std::string::npos ? 0 : hash + 2, kIdLength);
}

Result<void> print_list(client::Api& api) {
  client::ListOptions options;
  options.field_selector = std::string("type=") + kType;
  const auto listed = run_to_end(api.list(secrets(), kNamespace, options));
  if (!listed) return listed.error();
  std::printf("%-8s %-22s %s\n", "ID", "EXPIRES", "DESCRIPTION");
  for (const auto& item : listed->items) {
    KL_TRY_FN(secret, schema::parse<api::Secret>(item));
    auto& data = secret.data;
    const std::string expires = data["expiration"].empty() ? "never" : data["expiration"];
    std::printf("%-8s %-22s %s\n", data["token-id"].c_str(), expires.c_str(), data["description"].c_str());
  }
  return {};
}

}  // namespace

int token_command(const std::vector<std::string>& args) {
  CLI::App app("Tokens with which other machines join. The server must be running.", "kinglet token");
  app.require_subcommand(1);
  std::string data_dir = kDefaultDataDir, ttl = "24h", description;
  std::vector<std::string> ids;
  auto* make = app.add_subcommand("create", "make a token and print it");
  make->add_option("--ttl", ttl, "how long it is good for; 0: for ever")->capture_default_str();
  make->add_option("--description", description, "what it is for");
  auto* list = app.add_subcommand("list", "list tokens, without their secrets")->alias("ls");
  auto* remove = app.add_subcommand("delete", "delete tokens")->alias("rm");
  remove->add_option("TOKEN", ids, "ids, or whole tokens")->required();
  for (CLI::App* any : {&app, make, list, remove})
    any->add_option("-d,--data-dir", data_dir, "the server's data directory");
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e);
  }
  const auto files = make_system_files();
  const auto clock = make_system_clock();
  const auto random = make_system_random();
  auto connection = admin_connection(*files, data_dir);
  if (!connection) return fail(connection.error().message());
  const std::string ca_hash = cluster::ca_hash(connection->tls.ca_pem);
  const auto api = client::make_http_api(*clock, *std::move(connection));
  if (make->parsed()) {
    const auto token = create(*api, *clock, *random, ttl, description);
    if (!token) return fail(token.error().message());
    // With the CA's fingerprint: who joins with it knows whom to trust.
    std::printf("%s\n", cluster::format_join_token({ca_hash, "", *token}).c_str());
  }
  if (list->parsed()) {
    const auto printed = print_list(*api);
    if (!printed) return fail(printed.error().message());
  }
  for (const auto& id : ids) {
    const auto removed = run_to_end(api->remove(secrets(), kNamespace, kPrefix + id_of(id)));
    if (!removed) return fail("token " + id_of(id) + ": " + removed.error().message());
    std::printf("token %s deleted\n", id_of(id).c_str());
  }
  return 0;
}

}  // namespace kinglet::cli
