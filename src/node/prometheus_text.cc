#include "node/internal/prometheus_text.h"

#include <fmt/format.h>

namespace kinglet::node {

void PrometheusText::family(const char* name, const char* type, const char* help) {
  name_ = name;
  text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

void PrometheusText::value(const PrometheusLabels& labels, double value) {
  text_ += name_;
  char before = '{';
  for (const auto& [name, content] : labels) {
    text_ += fmt::format("{}{}=\"", std::exchange(before, ','), name);
    for (const char c : content) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (c == '\n')
        text_ += "\\n";
      else
        text_ += c;
    }
    text_ += '"';
  }
  if (!labels.empty()) text_ += '}';
  text_ += fmt::format(" {}\n", value);
}

}  // namespace kinglet::node
