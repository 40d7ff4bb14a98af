// Amounts of compute resources as numbers, for those who add and compare them thousands of times.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"

namespace kinglet::client {

struct Resources {
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  int64_t ephemeral_bytes = 0;
  std::vector<std::pair<std::string, int64_t>> extended;  // sorted by name; huge pages, devices

  int64_t extended_amount(std::string_view name) const;
  void add(const Resources& other);
  void subtract(const Resources& other);
  void at_least(const Resources& other);  // the larger of each
  bool operator==(const Resources&) const = default;
};

// A resource list ("cpu": "100m"). Amounts that do not parse count as nothing: the API server let none through.
Resources resources_of(const json::Value* list);

// What a pod takes on a node: the sum of its containers and sidecars, or the most that a step of its initialisation
// needs, whichever is more, plus overhead. Pod-level requests, when given, stand in for the containers'.
// Source: upstream's resource helpers (PodRequests).
Resources pod_requests(const json::Value& spec);

}  // namespace kinglet::client
