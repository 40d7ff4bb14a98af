// Metrics in Prometheus' text format, over prometheus-cpp (core). Upstream's names where dashboards expect them,
// else kinglet_<module>_<what>_<unit>[_total]. Label values come from closed sets.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace kinglet {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void add(double amount = 1) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;
  virtual ~Metrics() = default;
  // The same name and labels give the same object; references live as long as the registry.
  virtual Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {}) = 0;
  virtual Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {}) = 0;
  virtual Histogram& histogram(const std::string& name, const std::string& help,
                               const std::vector<double>& bounds, const Labels& labels = {}) = 0;
  // Called before each text(): for values that are cheaper to read on demand.
  virtual void on_collect(std::function<void()> refresh) = 0;
  virtual std::string text() = 0;
};
std::unique_ptr<Metrics> make_metrics();

}  // namespace kinglet
