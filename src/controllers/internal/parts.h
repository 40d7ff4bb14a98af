// What each controller is built from, and the list of them all.
#pragma once
#include <memory>

#include "client/controller.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "controllers/controllers.h"

namespace kinglet::controllers {

struct Deps {
  client::Api& api;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  client::Informers& informers;
  client::EventRecorder& events;
  const Options& options;

  std::unique_ptr<client::Runner> runner(std::string name, int workers = 4) const {
    return std::make_unique<client::Runner>(api, clock, random, metrics,
                                            client::RunnerOptions{std::move(name), workers});
  }
};

using RunnerPtr = std::unique_ptr<client::Runner>;
RunnerPtr make_replica_set(const Deps& deps);
RunnerPtr make_deployment(const Deps& deps);
RunnerPtr make_endpoint_slice(const Deps& deps);
RunnerPtr make_endpoints(const Deps& deps);
RunnerPtr make_namespace(const Deps& deps);
RunnerPtr make_service_account(const Deps& deps);
RunnerPtr make_root_ca(const Deps& deps);
RunnerPtr make_node_ipam(const Deps& deps);  // options.cluster_cidr was checked with the flags
RunnerPtr make_node_lifecycle(const Deps& deps);
RunnerPtr make_taint_eviction(const Deps& deps);
RunnerPtr make_pod_gc(const Deps& deps);
RunnerPtr make_replication_controller(const Deps& deps);
RunnerPtr make_job(const Deps& deps);
RunnerPtr make_daemon_set(const Deps& deps);
RunnerPtr make_stateful_set(const Deps& deps);
RunnerPtr make_disruption(const Deps& deps);
RunnerPtr make_volume_binder(const Deps& deps);
// Creates the StorageClass local-path unless one of that name is there.
Task<Result<void>> publish_local_path_class(client::Api& api);
RunnerPtr make_volume_reclaimer(const Deps& deps);
RunnerPtr make_claim_protection(const Deps& deps);
RunnerPtr make_volume_protection(const Deps& deps);
RunnerPtr make_cron_job(const Deps& deps);

}  // namespace kinglet::controllers
