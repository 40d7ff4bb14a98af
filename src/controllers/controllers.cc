#include "controllers/controllers.h"

#include "base/task.h"
#include "base/task_group.h"
#include "controllers/internal/garbage_collector.h"
#include "controllers/internal/parts.h"

namespace kinglet::controllers {
namespace {
class All final : public Controllers {
 public:
  All(client::Api& api, Clock& clock, Random& random, Metrics& metrics, client::Informers& informers,
      Options options)
      : options_(std::move(options)),
        events_(api, clock, random, metrics, "controller-manager"),
        deps_{api, clock, random, metrics, informers, events_, options_} {
    for (const auto make : {make_replica_set, make_deployment, make_endpoint_slice, make_endpoints, make_namespace,
                            make_service_account, make_node_lifecycle, make_taint_eviction, make_pod_gc,
                            make_replication_controller, make_job, make_cron_job, make_daemon_set, make_stateful_set,
                            make_disruption, make_volume_binder, make_volume_reclaimer, make_claim_protection,
                            make_volume_protection})
      runners_.push_back(make(deps_));
    if (!options_.root_ca.empty()) runners_.push_back(make_root_ca(deps_));
    if (!options_.cluster_cidr.empty()) runners_.push_back(make_node_ipam(deps_));
    collector_ = make_garbage_collector(deps_);
  }

  Task<Result<void>> run() override {
    TaskGroup group;
    group.add("events", events_.run());
    if (options_.local_path_class) group.add("local-path", publish_local_path_class(deps_.api));
    for (auto& runner : runners_) group.add(runner->name(), runner->run());
    group.add("garbage collector", collector_->run());
    co_return co_await group.run();
  }

  bool idle() const override {
    return collector_->idle() &&
           std::all_of(runners_.begin(), runners_.end(), [](const auto& runner) { return runner->idle(); });
  }

 private:
  Options options_;
  client::EventRecorder events_;
  Deps deps_;
  std::vector<RunnerPtr> runners_;
  std::unique_ptr<GarbageCollector> collector_;
};
}  // namespace

std::unique_ptr<Controllers> make_controllers(client::Api& api, Clock& clock, Random& random, Metrics& metrics,
                                              client::Informers& informers, Options options) {
  return std::make_unique<All>(api, clock, random, metrics, informers, std::move(options));
}

}  // namespace kinglet::controllers
