#include "controllers/internal/service_pods.h"

namespace kinglet::controllers {

void wake_services_of_pods(client::Runner& runner, client::Informer<Service> services,
                           client::Informer<Pod> pods) {
  services.on_change([&runner](const Service* before, const Service* after) {
    runner.add((after ? after : before)->meta.key());
  });
  pods.on_change([&runner, services](const Pod* before, const Pod* after) {
    if (!endpoints_differ(before, after)) return;
    const auto& ns = (after ? after : before)->meta.ns;
    for (const auto& service : services.list(ns)) {
      if (!service->managed()) continue;
      if ((before && client::matches(service->selector, before->meta.labels)) ||
          (after && client::matches(service->selector, after->meta.labels)))
        runner.add(service->meta.key());
    }
  });
}

}  // namespace kinglet::controllers
