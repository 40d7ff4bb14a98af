// What every namespace has: the service account "default" and the cluster's CA in ConfigMap kube-root-ca.crt.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

// Cached by name only (a field selector): of all accounts and config maps, one per namespace.
struct DefaultAccount : Object {
  static const schema::Resource& resource() { return client::resource("", "v1", "serviceaccounts"); }
  static std::shared_ptr<DefaultAccount> decode(const json::Value&) { return std::make_shared<DefaultAccount>(); }
};

struct RootCaMap : Object {
  static const schema::Resource& resource() { return client::resource("", "v1", "configmaps"); }
  static std::shared_ptr<RootCaMap> decode(const json::Value& object) {
    auto map = std::make_shared<RootCaMap>();
    map->ca = client::string_at(object, {"data", "ca.crt"});
    return map;
  }
  std::string ca;
};

template <class T>
void wake_namespaces(client::Runner& runner, Informer<Namespace> namespaces, Informer<T> things) {
  namespaces.on_change([&runner](const Namespace*, const Namespace* after) {
    if (after && !after->meta.deleted) runner.add(after->meta.key());
  });
  things.on_change([&runner](const T* before, const T* after) {
    if (before) runner.add({"", (after ? after : before)->meta.ns});
  });
}

class ServiceAccounts final : public client::Reconciler {
 public:
  ServiceAccounts(const Deps& deps, client::Runner& runner)
      : namespaces_(runner.reads(deps.informers.of<Namespace>())),
        accounts_(runner.reads(deps.informers.of<DefaultAccount>("", "metadata.name=default"))) {
    wake_namespaces(runner, namespaces_, accounts_);
  }
  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto space = namespaces_.find(key);
    if (!space || space->meta.deleted || accounts_.find({key.name, "default"})) co_return Outcome::done();
    const json::Value account = json::Object{
        {"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", json::Object{{"name", "default"}, {"namespace", key.name}}}};
    const auto made = co_await client::create(api, DefaultAccount::resource(), key.name, account);
    KL_CHECK(client::unless(Code::already_exists, made));
    co_return Outcome::done();
  }

 private:
  Informer<Namespace> namespaces_;
  Informer<DefaultAccount> accounts_;
};

constexpr char kRootCaName[] = "kube-root-ca.crt";

class RootCaPublisher final : public client::Reconciler {
 public:
  RootCaPublisher(const Deps& deps, client::Runner& runner)
      : ca_(deps.options.root_ca),
        namespaces_(runner.reads(deps.informers.of<Namespace>())),
        maps_(runner.reads(deps.informers.of<RootCaMap>("", std::string("metadata.name=") + kRootCaName))) {
    wake_namespaces(runner, namespaces_, maps_);
  }
  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto space = namespaces_.find(key);
    if (!space || space->meta.deleted) co_return Outcome::done();
    const ObjectKey map_key{key.name, kRootCaName};
    const auto existing = maps_.find(map_key);
    if (existing && existing->ca == ca_) co_return Outcome::done();
    const json::Object data = {{"ca.crt", ca_}};
    if (existing) {
      const json::Value patch = json::Object{{"data", data}};
      const auto written = co_await client::merge(api, RootCaMap::resource(), map_key, patch);
      KL_CHECK(client::unless(Code::not_found, written));
      co_return Outcome::done();
    }
    json::Object meta = {{"name", kRootCaName},
                         {"namespace", key.name},
                         {"annotations",
                          json::Object{{"kubernetes.io/description",
                                        "Contains a CA bundle that can be used to verify the kube-apiserver when using "
                                        "internal endpoints such as the internal service IP or kubernetes.default.svc. "
                                        "No other usage is guaranteed across distributions of Kubernetes clusters."}}}};
    const json::Value map =
        json::Object{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", std::move(meta)}, {"data", data}};
    const auto made = co_await client::create(api, RootCaMap::resource(), key.name, map);
    KL_CHECK(client::unless(Code::already_exists, made));
    co_return Outcome::done();
  }

 private:
  std::string ca_;
  Informer<Namespace> namespaces_;
  Informer<RootCaMap> maps_;
};
}  // namespace

RunnerPtr make_service_account(const Deps& deps) {
  auto runner = deps.runner("serviceaccount", 1);
  runner->use(std::make_unique<ServiceAccounts>(deps, *runner));
  return runner;
}

RunnerPtr make_root_ca(const Deps& deps) {
  auto runner = deps.runner("root_ca_cert_publisher", 1);
  runner->use(std::make_unique<RootCaPublisher>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
