// Clock: the only source of time. Production uses the kernel's; simulation turns its own.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/task_fwd.h"

namespace boost::asio {
class io_context;
}

namespace kinglet {

using namespace std::chrono_literals;
using Duration = std::chrono::nanoseconds;

// Monotonic; comparable only within one run of the process.
struct TimePoint {
  Duration since_start{};
  auto operator<=>(const TimePoint&) const = default;
  TimePoint operator+(Duration d) const { return {since_start + d}; }
  TimePoint operator-(Duration d) const { return {since_start - d}; }
  Duration operator-(TimePoint other) const { return since_start - other.since_start; }
};

// For people and certificates: UTC since 1970. May jump.
struct WallTime {
  std::chrono::microseconds since_epoch{};
  auto operator<=>(const WallTime&) const = default;
};
std::string rfc3339(WallTime time);        // 2006-01-02T15:04:05Z (meta/v1 Time)
std::string rfc3339_micro(WallTime time);  // 2006-01-02T15:04:05.000000Z (MicroTime)
Result<WallTime> parse_rfc3339(const std::string& text);  // any offset and fraction; errors: bad_request

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
  virtual Task<void> sleep(Duration duration) = 0;
};

std::unique_ptr<Clock> make_system_clock();

// Virtual time: stands still while anything is ready and jumps to the next sleeper when nothing is.
class SimClock : public Clock {
 public:
  // Runs the loop until `end` of virtual time (or until nothing sleeps and nothing is ready).
  virtual void run_until(boost::asio::io_context& loop, TimePoint end) = 0;
};
std::unique_ptr<SimClock> make_sim_clock(WallTime start);

}  // namespace kinglet
