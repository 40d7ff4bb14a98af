// The Endpoints controller's decision: the older form of EndpointSlice, one object per service. Pure.
#pragma once
#include "controllers/internal/service.h"

namespace kinglet::controllers {

// More addresses than this are cut off, and an annotation says so; slices name them all. Source: upstream.
constexpr size_t kEndpointsAddressesMax = 1000;
inline constexpr char kOverCapacity[] = "endpoints.kubernetes.io/over-capacity";
inline constexpr char kEndpointsManagedBy[] = "endpoints.kubernetes.io/managed-by";
inline constexpr char kEndpointsManager[] = "endpoint-controller";

struct Subset {
  EndpointPorts ports;
  std::vector<Endpoint> endpoints;  // by address; `ready` says in which list
  bool operator==(const Subset&) const = default;
};

struct Endpoints : Object {
  static const schema::Resource& resource();
  static std::shared_ptr<Endpoints> decode(const json::Value& object);
  std::vector<Subset> subsets;
};

struct WantedEndpoints {
  std::vector<Subset> subsets;
  bool over_capacity = false;
};
WantedEndpoints wanted_endpoints(const Service& service, const std::vector<Ref<const Pod>>& pods);
client::StringPairs endpoints_labels(const Service& service);
json::Value endpoints_object(const Service& service, const WantedEndpoints& wanted, const Endpoints* existing);
// Whether `existing` says what is wanted.
bool up_to_date(const Service& service, const WantedEndpoints& wanted, const Endpoints& existing);

}  // namespace kinglet::controllers
