// Prometheus' text format for values that are read when somebody asks: nothing is registered,
// nothing is kept.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace kinglet::node {

using PrometheusLabels = std::vector<std::pair<std::string, std::string>>;

class PrometheusText {
 public:
  // What follows belongs to this family.
  void family(const char* name, const char* type, const char* help);
  void value(const PrometheusLabels& labels, double value);
  std::string text() && { return std::move(text_); }

 private:
  std::string name_, text_;
};

}  // namespace kinglet::node
