#include "node/usage_rates.h"

namespace kinglet::node {

bool UsageRates::can_rate(TimePoint now) const {
  if (!newest_) return false;
  const Duration age = now - newest_->at;
  if (age > kRateWindowMax) return false;
  return age >= kRateWindowMin || before_.has_value();
}

void UsageRates::add(UsageSample sample) {
  // A second question right after the first keeps the older look: the window must not shrink to
  // nothing.
  const bool too_close = newest_ && sample.at - newest_->at < kRateWindowMin;
  if (!too_close || !before_) before_ = std::move(newest_);
  newest_ = std::move(sample);
}

std::optional<uint64_t> UsageRates::nano_cores(const std::string& who) const {
  if (!before_ || !newest_) return std::nullopt;
  const auto then = before_->cpu_ns.find(who), now = newest_->cpu_ns.find(who);
  const Duration span = window();
  if (then == before_->cpu_ns.end() || now == newest_->cpu_ns.end() || span <= Duration::zero())
    return std::nullopt;
  if (now->second <= then->second) return 0;  // the counter began anew
  const double used = static_cast<double>(now->second - then->second);
  return static_cast<uint64_t>(used * 1e9 / static_cast<double>(span.count()));
}

Duration UsageRates::window() const {
  return before_ && newest_ ? newest_->at - before_->at : Duration::zero();
}

}  // namespace kinglet::node
