// Wakes the services whose endpoints a change of a pod can touch; both endpoint controllers need the same.
#pragma once
#include "client/controller.h"
#include "client/informer.h"
#include "controllers/internal/service.h"

namespace kinglet::controllers {

void wake_services_of_pods(client::Runner& runner, client::Informer<Service> services, client::Informer<Pod> pods);

}  // namespace kinglet::controllers
