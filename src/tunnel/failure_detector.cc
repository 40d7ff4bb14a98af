#include "tunnel/failure_detector.h"

#include <algorithm>

namespace kinglet::tunnel {
namespace {
// A clean link: three pings and a retransmission go missing.
constexpr Duration kLimitMin = std::chrono::milliseconds(1100);
constexpr Duration kLimitMax = std::chrono::seconds(8);
constexpr Duration kMargin = std::chrono::milliseconds(300);
// A long gap is half forgotten after three minutes: on a lossy link the next one comes within that.
constexpr Duration kDecayStep = std::chrono::seconds(1);
constexpr double kDecayPerStep = 0.996;
// Less than this a tick comes late on any loaded machine.
constexpr Duration kLateness = std::chrono::milliseconds(50);
}  // namespace

void FailureDetector::decay(TimePoint now) {
  while (now - decayed_ >= kDecayStep) {
    decayed_ = decayed_ + kDecayStep;
    longest_ =
        Duration(static_cast<int64_t>(static_cast<double>(longest_.count()) * kDecayPerStep));
    if (longest_ < kPingEvery) {  // nothing left to forget: catch up at once after a long pause
      decayed_ = now;
      break;
    }
  }
}

// We were not here for a while: what came then may still wait to be read, so the peer gets one more
// tick.
void FailureDetector::excuse(TimePoint now) {
  const Duration step = now - ticked_;
  ticked_ = now;
  if (step > kTickEvery + kLateness) excused_ += step - kTickEvery;
}

void FailureDetector::heard(TimePoint now) {
  excuse(now);
  decay(now);
  longest_ = std::max(longest_, silence(now));
  heard_ = now;
  excused_ = Duration::zero();
}

bool FailureDetector::tick(TimePoint now) {
  excuse(now);
  return silence(now) >= limit();
}

Duration FailureDetector::limit() const {
  return std::clamp(longest_ * 2 + kMargin, kLimitMin, kLimitMax);
}

}  // namespace kinglet::tunnel
