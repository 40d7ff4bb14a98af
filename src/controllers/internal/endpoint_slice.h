// The EndpointSlice controller's decision: which slices to write so that they name all endpoints, changing as few
// slices as possible. Pure.
#pragma once
#include "controllers/internal/service.h"

namespace kinglet::controllers {

inline constexpr char kServiceNameLabel[] = "kubernetes.io/service-name";
inline constexpr char kManagedByLabel[] = "endpointslice.kubernetes.io/managed-by";
inline constexpr char kManagedByUs[] = "endpointslice-controller.k8s.io";
constexpr size_t kEndpointsPerSliceMax = 100;

struct EndpointSlice : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<EndpointSlice> decode(const json::Value& object);
  std::string address_type;
  EndpointPorts ports;
  std::vector<Endpoint> endpoints;
};

struct WantedSlice {
  Ref<const EndpointSlice> existing;  // null: create
  std::string address_type;
  EndpointPorts ports;
  std::vector<Endpoint> endpoints;
};
struct SlicePlan {
  std::vector<WantedSlice> write;  // creations and changes
  std::vector<Ref<const EndpointSlice>> remove;
};

// Endpoints by family and port set.
using SliceGroups = std::map<std::pair<std::string, EndpointPorts>, std::vector<Endpoint>>;
SliceGroups group_endpoints(const Service& service, const std::vector<Ref<const Pod>>& pods,
                            const std::function<std::string(const std::string& node)>& zone_of);
// The labels that the service's slices carry.
client::StringPairs slice_labels(const Service& service);
SlicePlan plan_slices(const Service& service, const SliceGroups& wanted, const std::vector<Ref<const EndpointSlice>>& existing);
json::Value slice_object(const Service& service, const WantedSlice& slice);

}  // namespace kinglet::controllers
