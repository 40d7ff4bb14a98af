#include "base/clock.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <ctime>
#include <map>

#include "base/signal.h"
#include "base/task.h"

namespace kinglet {
namespace asio = boost::asio;

namespace {
class SystemClock final : public Clock {
 public:
  TimePoint now() const override {
    return {std::chrono::steady_clock::now().time_since_epoch()};
  }
  WallTime wall() const override {
    return {std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch())};
  }
  Task<void> sleep(Duration duration) override {
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
  }
};

class VirtualClock final : public SimClock {
 public:
  explicit VirtualClock(WallTime start) : start_(start) {}
  TimePoint now() const override { return now_; }
  WallTime wall() const override {
    return {start_.since_epoch +
            std::chrono::duration_cast<std::chrono::microseconds>(now_.since_start)};
  }
  Task<void> sleep(Duration duration) override {
    const TimePoint until = now_ + std::max(duration, Duration::zero());
    // Sleepers of one instant wake in the order in which they went to sleep: the run is repeatable.
    auto sleeper = std::make_shared<Sleeper>();
    const auto here = sleepers_.emplace(until, sleeper);
    struct Leave {
      Sleepers& sleepers;
      Sleepers::iterator here;
      std::shared_ptr<Sleeper> sleeper;
      ~Leave() {
        if (!sleeper->woken) sleepers.erase(here);
      }
    } leave{sleepers_, here, sleeper};
    while (!sleeper->woken) co_await sleeper->signal.wait();
  }
  void run_until(asio::io_context& loop, TimePoint end) override {
    for (;;) {
      loop.restart();
      while (loop.poll() > 0) {
      }
      if (sleepers_.empty() || sleepers_.begin()->first > end) break;
      now_ = std::max(now_, sleepers_.begin()->first);
      // One sleeper at a time: whatever it makes ready runs before the next one wakes.
      const auto sleeper = sleepers_.begin()->second;
      sleepers_.erase(sleepers_.begin());
      sleeper->woken = true;
      sleeper->signal.notify_all();
    }
    now_ = std::max(now_, end);
  }

 private:
  struct Sleeper {
    Signal signal;
    bool woken = false;
  };
  using Sleepers = std::multimap<TimePoint, std::shared_ptr<Sleeper>>;

  WallTime start_;
  TimePoint now_;
  Sleepers sleepers_;
};
}  // namespace

std::unique_ptr<Clock> make_system_clock() { return std::make_unique<SystemClock>(); }
std::unique_ptr<SimClock> make_sim_clock(WallTime start) {
  return std::make_unique<VirtualClock>(start);
}

std::string rfc3339(WallTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string rfc3339_micro(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.since_epoch);
  std::string text = rfc3339(time);
  text.pop_back();
  return text + fmt::format(".{:06}Z", (time.since_epoch - seconds).count());
}

Result<WallTime> parse_rfc3339(const std::string& text) {
  const auto bad = [&] { return Error(Code::bad_request, "\"{}\" is not an RFC 3339 time", text); };
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, used = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &y, &mo, &d, &h, &mi, &s, &used) != 6 ||
      used != 19)
    return bad();
  const auto date = std::chrono::year(y) / mo / d;
  if (!date.ok() || h > 23 || mi > 59 || s > 60 || h < 0 || mi < 0 || s < 0) return bad();
  size_t at = 19;
  int64_t micros = 0;
  if (at < text.size() && text[at] == '.') {
    int digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits)
      if (digits < 6) micros = micros * 10 + (text[at] - '0');
    if (digits == 0) return bad();
    for (; digits < 6; ++digits) micros *= 10;
  }
  std::chrono::minutes offset{0};
  if (at + 1 == text.size() && text[at] == 'Z') {
    // UTC
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    int oh = 0, om = 0;
    if (std::sscanf(text.c_str() + at + 1, "%2d:%2d", &oh, &om) != 2 || oh < 0 || oh > 23 ||
        om < 0 || om > 59)
      return bad();
    offset = std::chrono::hours(oh) + std::chrono::minutes(om);
    if (text[at] == '-') offset = -offset;
  } else {
    return bad();
  }
  const auto day = std::chrono::sys_days(date).time_since_epoch();
  return WallTime{std::chrono::duration_cast<std::chrono::microseconds>(
      day + std::chrono::hours(h) + std::chrono::minutes(mi) + std::chrono::seconds(s) - offset +
      std::chrono::microseconds(micros))};
}

}  // namespace kinglet
