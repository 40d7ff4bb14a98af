#include "node/api_config.h"

#include "base/task.h"
#include "schema/structs.h"

namespace kinglet::node {

const schema::Resource& KnownService::resource() { return schema::resource_of<api::Service>(); }

Task<Result<api::ConfigMap>> ApiConfig::config_map(std::string ns, std::string name) {
  const auto got = co_await api_.get(schema::resource_of<api::ConfigMap>(), std::move(ns), std::move(name));
  if (!got) co_return got.error();
  co_return schema::parse<api::ConfigMap>(*got);
}

Task<Result<api::Secret>> ApiConfig::secret(std::string ns, std::string name) {
  const auto got = co_await api_.get(schema::resource_of<api::Secret>(), std::move(ns), std::move(name));
  if (!got) co_return got.error();
  co_return schema::parse<api::Secret>(*got);
}

std::vector<api::Service> ApiConfig::services(const std::string& ns) {
  std::vector<api::Service> out;
  const auto add = [&](const client::Object& object) {
    auto service = schema::parse<api::Service>(object.raw);
    if (service) out.push_back(*std::move(service));
  };
  for (const auto& service : services_.list(ns)) add(*service);
  const auto kubernetes = ns == "default" ? nullptr : services_.find({"default", "kubernetes"});
  if (kubernetes) add(*kubernetes);
  return out;
}

}  // namespace kinglet::node
