// FailureDetector: when has a silent peer been silent for too long? Pure; one per peer.
//
// A peer speaks every kPingEvery. On a good link a second of silence is a failure; on a bad one
// (loss, jitter, a starved processor) longest recent silences say what is normal there. So the
// limit is a base, raised by twice the longest gap that was seen lately, and lowered again slowly.
// docs/features/tunnel.md shows what that costs and gains.
//
// Time in which we ourselves did not run is no silence of the peer: tick() is called at least every
// kTickEvery, and what a tick comes late does not count.
#pragma once
#include "base/clock.h"

namespace kinglet::tunnel {

constexpr Duration kPingEvery = std::chrono::milliseconds(300);
constexpr Duration kTickEvery = std::chrono::milliseconds(100);

class FailureDetector {
 public:
  explicit FailureDetector(TimePoint now) : heard_(now), ticked_(now), decayed_(now) {}

  // A byte came from the peer.
  void heard(TimePoint now);
  // Whether the peer is to be taken for dead now.
  bool tick(TimePoint now);
  // The silence after which it is.
  Duration limit() const;
  Duration silence(TimePoint now) const { return now - heard_ - excused_; }

 private:
  void decay(TimePoint now);
  void excuse(TimePoint now);

  TimePoint heard_, ticked_, decayed_;
  Duration excused_{};  // of the present silence: our own absence
  // Gap that was seen, fading. A link is not trusted blindly before it is known.
  Duration longest_ = std::chrono::milliseconds(600);
};

}  // namespace kinglet::tunnel
