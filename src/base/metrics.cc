#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace kinglet {
namespace {

class PromCounter final : public Counter {
 public:
  explicit PromCounter(prometheus::Counter& inner) : inner_(inner) {}
  void add(double amount) override { inner_.Increment(amount); }

 private:
  prometheus::Counter& inner_;
};
class PromGauge final : public Gauge {
 public:
  explicit PromGauge(prometheus::Gauge& inner) : inner_(inner) {}
  void set(double value) override { inner_.Set(value); }

 private:
  prometheus::Gauge& inner_;
};
class PromHistogram final : public Histogram {
 public:
  explicit PromHistogram(prometheus::Histogram& inner) : inner_(inner) {}
  void observe(double value) override { inner_.Observe(value); }

 private:
  prometheus::Histogram& inner_;
};

class PromMetrics final : public Metrics {
 public:
  Counter& counter(const std::string& name, const std::string& help,
                   const Labels& labels) override {
    auto& kept = counters_[{name, labels}];
    if (!kept)
      kept = std::make_unique<PromCounter>(
          prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add(labels));
    return *kept;
  }
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels) override {
    auto& kept = gauges_[{name, labels}];
    if (!kept)
      kept = std::make_unique<PromGauge>(
          prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add(labels));
    return *kept;
  }
  Histogram& histogram(const std::string& name, const std::string& help,
                       const std::vector<double>& bounds, const Labels& labels) override {
    auto& kept = histograms_[{name, labels}];
    if (!kept)
      kept = std::make_unique<PromHistogram>(
          prometheus::BuildHistogram().Name(name).Help(help).Register(registry_).Add(labels,
                                                                                     bounds));
    return *kept;
  }
  void on_collect(std::function<void()> refresh) override {
    refreshers_.push_back(std::move(refresh));
  }
  std::string text() override {
    for (const auto& refresh : refreshers_) refresh();
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  using Key = std::pair<std::string, Labels>;
  // Merge: a family is named again for each of its label sets.
  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  std::map<Key, std::unique_ptr<PromCounter>> counters_;
  std::map<Key, std::unique_ptr<PromGauge>> gauges_;
  std::map<Key, std::unique_ptr<PromHistogram>> histograms_;
  std::vector<std::function<void()>> refreshers_;
};

}  // namespace

std::unique_ptr<Metrics> make_metrics() { return std::make_unique<PromMetrics>(); }

}  // namespace kinglet
