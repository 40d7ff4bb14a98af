// EndpointSlice controller: names the pods behind each service.
#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/endpoint_slice.h"
#include "controllers/internal/parts.h"
#include "controllers/internal/service_pods.h"

namespace kinglet::controllers {
namespace {
using client::Api;
using client::Informer;
using client::Outcome;

class EndpointSlices final : public client::Reconciler {
 public:
  EndpointSlices(const Deps& deps, client::Runner& runner)
      : services_(runner.reads(deps.informers.of<Service>())),
        pods_(runner.reads(deps.informers.of<Pod>())),
        nodes_(runner.reads(deps.informers.of<Node>())),
        slices_(runner.reads(deps.informers.of<EndpointSlice>())) {
    by_service_ = slices_.index("service", [](const EndpointSlice& slice, std::vector<std::string>& keys) {
      const auto* by = slice.meta.label(kManagedByLabel);
      const auto* service = slice.meta.label(kServiceNameLabel);
      if (by && *by == kManagedByUs && service) keys.push_back(slice.meta.ns + "/" + *service);
    });
    wake_services_of_pods(runner, services_, pods_);
    slices_.on_change([&runner](const EndpointSlice* before, const EndpointSlice* after) {
      for (const auto* slice : {before, after})
        if (slice)
          if (const auto* service = slice->meta.label(kServiceNameLabel)) runner.add({slice->meta.ns, *service});
    });
  }

  Task<Result<Outcome>> reconcile(Api& api, ObjectKey key) override {
    const auto service = services_.find(key);
    auto existing = slices_.indexed(by_service_, key.text());
    std::erase_if(existing, [](const auto& slice) { return slice->meta.deleted.has_value(); });
    SlicePlan plan;
    if (!service || service->external_name)
      plan.remove = existing;  // the service is gone: do not wait for the garbage collector
    else if (service->managed() && !service->meta.deleted)
      plan = plan_slices(*service, groups_of(*service), existing);
    for (const auto& slice : plan.write) KL_CHECK(co_await write(api, service, slice));
    for (const auto& slice : plan.remove) {
      const auto slice_key = slice->meta.key();
      const auto removed = co_await client::remove(api, EndpointSlice::resource(), slice_key, slice->meta.uid);
      KL_CHECK(client::unless(Code::not_found, removed), "remove {}", slice_key.text());
    }
    co_return Outcome::done();
  }

 private:
  SliceGroups groups_of(const Service& service) const {
    return group_endpoints(service, pods_.select(service.meta.ns, service.selector), [this](const std::string& name) {
      const auto node = name.empty() ? nullptr : nodes_.find({"", name});
      const auto* zone = node ? node->meta.label("topology.kubernetes.io/zone") : nullptr;
      return zone ? *zone : std::string();
    });
  }

  static Task<Result<void>> write(Api& api, Ref<const Service> service, const WantedSlice& slice) {
    const auto object = slice_object(*service, slice);
    if (!slice.existing) {
      const auto made = co_await client::create(api, EndpointSlice::resource(), service->meta.ns, object);
      if (!made) co_return made.error();
      co_return Result<void>();
    }
    const auto key = slice.existing->meta.key();
    const auto written = co_await client::update(api, EndpointSlice::resource(), key, object);
    if (!written) co_return written.error();
    co_return Result<void>();
  }

  Informer<Service> services_;
  Informer<Pod> pods_;
  Informer<Node> nodes_;
  Informer<EndpointSlice> slices_;
  size_t by_service_ = 0;
};
}  // namespace

RunnerPtr make_endpoint_slice(const Deps& deps) {
  auto runner = deps.runner("endpoint_slice");
  runner->use(std::make_unique<EndpointSlices>(deps, *runner));
  return runner;
}

}  // namespace kinglet::controllers
