// Upstream's metrics of the request path, under upstream's names.
#pragma once
#include <map>
#include <string>
#include <tuple>

#include "apiserver/request_info.h"
#include "base/clock.h"
#include "base/metrics.h"

namespace kinglet::apiserver {

class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics);
  void begin(const RequestInfo& info);
  // `status` 0: the peer went before it was answered.
  void end(const RequestInfo& info, int status, Duration took);

 private:
  struct Row {
    Counter* total;
    Histogram* seconds;  // null for long-running requests
  };
  Row& row(const RequestInfo& info, int status);
  Gauge& gauge(const RequestInfo& info);
  double& count(const RequestInfo& info);

  Metrics& metrics_;
  std::map<std::tuple<const void*, std::string, std::string, int>, Row> rows_;
  Gauge& reads_;
  Gauge& writes_;
  Gauge& watches_;
  double reading_ = 0, writing_ = 0, watching_ = 0;
};

}  // namespace kinglet::apiserver
