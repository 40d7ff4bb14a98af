#include "apiserver/auth/bootstrap.h"

#include "base/task.h"
#include "base/task_group.h"

namespace kinglet::apiserver {
namespace {

constexpr const char* kManager = "kinglet";
constexpr const char* kServiceName = "kubernetes";
constexpr const char* kServiceNamespace = "default";

CreateOptions options() {
  CreateOptions out;
  out.field_manager = kManager;
  return out;
}

ResourceName name_of(const BootstrapObject& object) {
  return {object.resource, object.ns, object.name, ""};
}

Task<Result<void>> create(Registry& registry, BootstrapObject wanted) {
  const User user = server_user();
  std::string body = json::print(wanted.object);
  const std::string name = wanted.name;
  // The collection's address: the name is in the body.
  ResourceName where = name_of(wanted);
  CreateOptions how = options();
  auto creation = registry.create(user, std::move(where), std::move(body), std::move(how));
  auto created = co_await std::move(creation);
  if (!created && !created.is(Code::already_exists)) {
    co_return std::move(created.error())
        .with_context(fmt::format("create {} {}", wanted.resource->plural, name));
  }
  co_return Result<void>();
}

// Somebody else may write between our read and our write: the next start mends what then is still
// missing.
Task<Result<void>> update(Registry& registry, BootstrapObject wanted) {
  const User user = server_user();
  std::string body = json::print(wanted.object);
  ResourceName where = name_of(wanted);
  UpdateOptions how = options();
  auto writing = registry.update(user, std::move(where), std::move(body), std::move(how));
  auto written = co_await std::move(writing);
  if (!written && !written.is(Code::conflict)) {
    co_return std::move(written.error())
        .with_context(fmt::format("update {} {}", wanted.resource->plural, wanted.name));
  }
  co_return Result<void>();
}

Task<Result<void>> ensure_all(Registry& registry, std::vector<BootstrapObject> objects) {
  TaskGroup group;
  for (auto& wanted : objects) {
    const auto stored = registry.get(*wanted.resource, wanted.ns, wanted.name);
    if (!stored && !stored.is(Code::not_found)) co_return stored.error();
    if (!stored) {
      group.add("bootstrap", create(registry, std::move(wanted)));
      continue;
    }
    if (wanted.resource->group != "rbac.authorization.k8s.io") continue;
    auto mended = reconcile_rbac(*stored, wanted.object);
    if (!mended) continue;
    wanted.object = std::move(*mended);
    group.add("bootstrap", update(registry, std::move(wanted)));
  }
  co_return co_await group.run();
}

BootstrapObject object_in_default(std::string_view group, std::string_view plural,
                                  json::Object object) {
  const auto* resource = schema::find_resource(group, "v1", plural);
  KL_ASSERT(resource != nullptr, "the catalogue lacks {}", plural);
  return {resource, kServiceNamespace, kServiceName, std::move(object)};
}

json::Object metadata(json::Object labels) {
  return {{"name", kServiceName}, {"namespace", kServiceNamespace}, {"labels", std::move(labels)}};
}

BootstrapObject kubernetes_service(const ApiAddress& api) {
  json::Object port{
      {"name", "https"}, {"protocol", "TCP"}, {"port", 443}, {"targetPort", api.port}};
  json::Object spec{{"type", "ClusterIP"},
                    {"clusterIP", api.service_ip},
                    {"clusterIPs", json::Array{json::Value(api.service_ip)}},
                    {"ports", json::Array{std::move(port)}},
                    {"sessionAffinity", "None"}};
  return object_in_default(
      "", "services",
      {{"kind", "Service"},
       {"apiVersion", "v1"},
       {"metadata", metadata({{"component", "apiserver"}, {"provider", "kubernetes"}})},
       {"spec", std::move(spec)}});
}

json::Object https_port(const ApiAddress& api) {
  return {{"name", "https"}, {"port", api.port}, {"protocol", "TCP"}};
}

BootstrapObject endpoints(const ApiAddress& api) {
  json::Object subset{{"addresses", json::Array{json::Object{{"ip", api.address}}}},
                      {"ports", json::Array{https_port(api)}}};
  return object_in_default(
      "", "endpoints",
      {{"kind", "Endpoints"},
       {"apiVersion", "v1"},
       {"metadata", metadata({{"endpointslice.kubernetes.io/skip-mirror", "true"}})},
       {"subsets", json::Array{std::move(subset)}}});
}

BootstrapObject endpoint_slice(const ApiAddress& api) {
  const bool v6 = api.address.find(':') != std::string::npos;
  json::Object endpoint{{"addresses", json::Array{json::Value(api.address)}},
                        {"conditions", json::Object{{"ready", true}}}};
  return object_in_default("discovery.k8s.io", "endpointslices",
                           {{"kind", "EndpointSlice"},
                            {"apiVersion", "discovery.k8s.io/v1"},
                            {"metadata", metadata({{"kubernetes.io/service-name", kServiceName}})},
                            {"addressType", v6 ? "IPv6" : "IPv4"},
                            {"endpoints", json::Array{std::move(endpoint)}},
                            {"ports", json::Array{https_port(api)}}});
}

std::string address_in(const json::Value& stored) {
  const auto first = [](const json::Value* list) -> const json::Value* {
    if (!list || !list->is_array() || list->get_array().size() != 1) return nullptr;
    return &list->get_array().front();
  };
  const bool slice = json::find(stored, {"endpoints"}) != nullptr;
  const auto* group = first(json::find(stored, {slice ? "endpoints" : "subsets"}));
  const auto* address = group ? first(json::find(*group, {"addresses"})) : nullptr;
  const auto* port = first(slice   ? json::find(stored, {"ports"})
                           : group ? json::find(*group, {"ports"})
                                   : nullptr);
  if (!address || !port) return "";
  const auto text = address->is_string() ? std::string_view(address->get_string())
                                         : json::text_at(*address, {"ip"});
  return fmt::format("{} {}", text, json::int_at(*port, {"port"}));
}

Task<Result<void>> publish(Registry& registry, BootstrapObject wanted) {
  auto stored = registry.get(*wanted.resource, wanted.ns, wanted.name);
  if (stored.is(Code::not_found)) {
    auto creation = create(registry, std::move(wanted));
    co_return co_await std::move(creation);
  }
  if (!stored) co_return stored.error();
  if (address_in(*stored) == address_in(wanted.object)) co_return Result<void>();
  // addressType is immutable: a slice of the other family must go first.
  if (json::text_at(*stored, {"addressType"}) != json::text_at(wanted.object, {"addressType"})) {
    const User user = server_user();
    ResourceName where = name_of(wanted);
    DeleteOptions how;
    auto removal = registry.remove(user, std::move(where), std::move(how));
    auto removed = co_await std::move(removal);
    if (!removed && !removed.is(Code::not_found)) co_return removed.error();
    auto creation = create(registry, std::move(wanted));
    co_return co_await std::move(creation);
  }
  auto writing = update(registry, std::move(wanted));
  co_return co_await std::move(writing);
}

}  // namespace

User server_user() {
  return {"system:apiserver", "", {"system:masters", "system:authenticated"}, {}};
}

Task<Result<void>> publish_api_address(Registry& registry, ApiAddress api) {
  if (api.address.empty()) co_return Result<void>();
  auto old_form = publish(registry, endpoints(api));
  KL_CHECK(co_await std::move(old_form));
  auto new_form = publish(registry, endpoint_slice(api));
  KL_CHECK(co_await std::move(new_form));
  co_return Result<void>();
}

Task<Result<void>> bootstrap_cluster(Registry& registry, ApiAddress api) {
  KL_CHECK(co_await ensure_all(registry, bootstrap_namespaces()), "bootstrap");
  KL_CHECK(co_await ensure_all(registry, bootstrap_objects()), "bootstrap");
  std::vector<BootstrapObject> service;
  service.push_back(kubernetes_service(api));
  KL_CHECK(co_await ensure_all(registry, std::move(service)), "bootstrap");
  auto address = publish_api_address(registry, api);
  KL_CHECK(co_await std::move(address), "bootstrap");
  co_return Result<void>();
}

}  // namespace kinglet::apiserver
