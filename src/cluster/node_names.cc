#include "cluster/node_names.h"

#include "base/task.h"
#include "client/object.h"
#include "client/write.h"
#include "json/json.h"
#include "net/crypto.h"

namespace kinglet::cluster {
namespace {
constexpr const char* kSystemNamespace = "kube-system";
constexpr const char* kSecretType = "kinglet.io/node-key";
constexpr const char* kField = "public-key-sha256";

client::ObjectKey secret_key(const std::string& node) {
  return {kSystemNamespace, node + ".node-key.kinglet.io"};
}
const schema::Resource& secret_resource() { return client::resource("", "v1", "secrets"); }
const schema::Resource& node_resource() { return client::resource("", "v1", "nodes"); }
}  // namespace

Task<Result<std::string>> NodeNames::bound_key(std::string node) {
  const auto key = secret_key(node);
  auto getting = client::get(api_, secret_resource(), key);
  const auto stored = co_await std::move(getting);
  if (stored.is(Code::not_found)) co_return std::string();
  if (!stored) co_return stored.error();
  KL_TRY(object, json::parse(stored->view()));
  co_return net::from_base64(json::text_at(object, {"data", kField}));
}

Task<Result<void>> NodeNames::may_take(std::string node, std::string public_key_sha256) {
  KL_TRY(bound, co_await bound_key(node));
  if (bound == public_key_sha256) co_return Result<void>();
  const client::ObjectKey key{"", node};
  auto getting = client::get(api_, node_resource(), key);
  const auto there = co_await std::move(getting);
  if (there.is(Code::not_found)) co_return Result<void>();
  if (!there) co_return there.error();
  co_return Error(Code::already_exists,
                  "the name \"{0}\" belongs to another machine. If that one is gone or was "
                  "reinstalled: kubectl delete "
                  "node {0}; else give this one another --node-name, or --with-node-id",
                  node);
}

Task<Result<void>> NodeNames::bind(std::string node, std::string public_key_sha256) {
  KL_TRY(bound, co_await bound_key(node));
  if (bound == public_key_sha256) co_return Result<void>();
  const auto key = secret_key(node);
  const json::Value data = json::Object{{kField, net::base64(public_key_sha256)}};
  if (!bound.empty()) {
    const json::Value patch = json::Object{{"data", data}};
    auto patching = client::merge(api_, secret_resource(), key, patch);
    const auto patched = co_await std::move(patching);
    if (!patched) co_return patched.error();
    co_return Result<void>();
  }
  const json::Value secret =
      json::Object{{"apiVersion", "v1"},
                   {"kind", "Secret"},
                   {"metadata", json::Object{{"name", key.name}, {"namespace", key.ns}}},
                   {"type", kSecretType},
                   {"data", data}};
  auto creating = client::create(api_, secret_resource(), key.ns, secret);
  const auto created = co_await std::move(creating);
  if (!created) co_return created.error();
  co_return Result<void>();
}

Task<Result<void>> NodeNames::check(std::string node, std::string public_key_sha256) {
  KL_TRY(bound, co_await bound_key(node));
  if (bound.empty() || bound == public_key_sha256) co_return Result<void>();
  co_return Error(Code::already_exists,
                  "the name \"{}\" belongs to another machine now: remove this machine's agent "
                  "directory and join anew, "
                  "under another --node-name or after `kubectl delete node`",
                  node);
}

}  // namespace kinglet::cluster
