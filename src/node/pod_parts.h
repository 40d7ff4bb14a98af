// What a pod worker stands on: narrow, so that a test can give it a network and volumes of its own.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/core.h"
#include "base/clock.h"
#include "base/random.h"
#include "client/api.h"
#include "client/event_recorder.h"
#include "node/pod_files.h"
#include "node/runtime/runtime.h"

namespace kinglet::node {

struct PodAddress {
  std::string netns_path;  // pinned
  std::string ip;
};

class PodNetwork {
 public:
  virtual ~PodNetwork() = default;
  // Makes the pod's network, or finds the one that it has. Errors: unavailable (no free address, kernel refuses).
  virtual Task<Result<PodAddress>> attach(std::string pod_uid, std::string hostname) = 0;
  // Idempotent.
  virtual Task<Result<void>> detach(std::string pod_uid) = 0;
};

class PodVolumes {
 public:
  virtual ~PodVolumes() = default;
  // Makes and fills every volume of the pod; called again it brings ConfigMaps, Secrets and tokens up to date.
  // Errors: unavailable with the reason for FailedMount (`configmap "x" not found`).
  virtual Task<Result<void>> prepare(api::Pod pod) = 0;
  // The mounts of one container, sub-paths resolved. Errors: invalid (no such volume, a path that leads out of it).
  virtual Task<Result<std::vector<runtime::Mount>>> mounts(api::Pod pod, std::string container) = 0;
  // Whether prepare() should be called from time to time.
  virtual bool refreshes(const api::Pod& pod) const = 0;
  // Unmounts and removes everything. Idempotent.
  virtual Task<Result<void>> remove(std::string pod_uid) = 0;
};

// Objects that pods refer to, and the Services of the cluster for the environment.
class PodConfig {
 public:
  virtual ~PodConfig() = default;
  virtual Task<Result<api::ConfigMap>> config_map(std::string ns, std::string name) = 0;  // errors: not_found
  virtual Task<Result<api::Secret>> secret(std::string ns, std::string name) = 0;
  virtual std::vector<api::Service> services(const std::string& ns) = 0;  // of ns, and default/kubernetes
};

struct PodParts {
  client::Api& api;
  runtime::Runtime& runtime;
  PodNetwork& network;
  PodVolumes& volumes;
  PodConfig& config;
  client::EventRecorder& events;
  Clock& clock;
  Random& random;
  std::string node_name, node_ip;
  std::string log_root = "/var/log/pods";
  std::string state_dir;  // termination messages
  DnsSettings dns;
  int64_t node_cpu_milli = 0, node_memory_bytes = 0;
  std::string manifests_dir;  // of static pods
  std::string images_dir;  // archives that lie here are imported; its disk is kept from filling
};

}  // namespace kinglet::node
