// /healthz, /livez and /readyz from named checks, and /metrics.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apiserver/request_info.h"
#include "base/metrics.h"
#include "base/result.h"

namespace kinglet::apiserver {

// Parts add their checks while the server is put together and outlive it. A check is cheap: it
// reads a flag.
class HealthChecks {
 public:
  using Check = std::function<Result<void>()>;
  // What a failing check means: the process should be restarted, or it should get no requests just
  // now.
  enum class Means : uint8_t { not_live, not_ready };
  HealthChecks();  // with upstream's "ping"
  void add(std::string name, Means means, Check check);

  struct Row {
    std::string name;
    Means means;
    Check check;
  };
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

// What one of the three paths answers.
struct HealthAnswer {
  int status;
  std::string text;
};
HealthAnswer health_answer(const HealthChecks& checks, const std::string& path,
                           const net::Request& request);

std::unique_ptr<Extension> make_health(const HealthChecks& checks);  // `checks` outlives it
std::unique_ptr<Extension> make_metrics_page(Metrics& metrics);

}  // namespace kinglet::apiserver
