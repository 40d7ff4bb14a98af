// ConfigMaps, Secrets and Services for pods, from the API: the first two asked for when they are needed, the last kept
// by the informer that the network uses too.
#pragma once
#include "client/informer.h"
#include "node/pod_parts.h"

namespace kinglet::node {

// A Service as the watch brings it; parsed when a container starts.
struct KnownService : client::Object {
  static const schema::Resource& resource();
  static std::shared_ptr<KnownService> decode(const json::Value&) { return std::make_shared<KnownService>(); }
};

class ApiConfig final : public PodConfig {
 public:
  ApiConfig(client::Api& api, client::Informer<KnownService> services) : api_(api), services_(services) {}
  Task<Result<api::ConfigMap>> config_map(std::string ns, std::string name) override;
  Task<Result<api::Secret>> secret(std::string ns, std::string name) override;
  std::vector<api::Service> services(const std::string& ns) override;

 private:
  client::Api& api_;
  client::Informer<KnownService> services_;
};

}  // namespace kinglet::node
