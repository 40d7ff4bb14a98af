#include "base/clock.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <map>

#include "base/signal.h"
#include "base/task.h"

namespace kinglet {
namespace asio = boost::asio;

namespace {
class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return {std::chrono::steady_clock::now().time_since_epoch()}; }
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
    const Duration left = Duration::max() - now_.since_start;  // "for ever" must not overflow
    const TimePoint until = now_ + std::clamp(duration, Duration::zero(), left);
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

namespace {
// The number of exactly `digits` digits at `at`, or -1.
int number_at(const std::string& text, size_t at, size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Reads ".123" at `at`, moving it; microseconds, further digits dropped. -1: a dot without digits.
int64_t fraction_at(const std::string& text, size_t& at) {
  if (at >= text.size() || text[at] != '.') return 0;
  int64_t micros = 0;
  int digits = 0;
  for (++at; number_at(text, at, 1) >= 0; ++at, ++digits)
    if (digits < 6) micros = micros * 10 + (text[at] - '0');
  if (digits == 0) return -1;
  for (; digits < 6; ++digits) micros *= 10;
  return micros;
}

// "Z" or "+hh:mm", which must end the text.
std::optional<std::chrono::minutes> offset_at(const std::string& text, size_t at) {
  if (at + 1 == text.size() && text[at] == 'Z') return std::chrono::minutes(0);
  if (at + 6 != text.size() || text[at + 3] != ':') return std::nullopt;
  if (text[at] != '+' && text[at] != '-') return std::nullopt;
  const int hours = number_at(text, at + 1, 2), minutes = number_at(text, at + 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(hours * 60 + minutes);
  return text[at] == '-' ? -offset : offset;
}
}  // namespace

Result<WallTime> parse_rfc3339(const std::string& text) {
  const auto bad = [&] { return Error(Code::bad_request, "\"{}\" is not an RFC 3339 time", text); };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':')
    return bad();
  const int year = number_at(text, 0, 4), month = number_at(text, 5, 2),
            day = number_at(text, 8, 2);
  const int hour = number_at(text, 11, 2), minute = number_at(text, 14, 2),
            second = number_at(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return bad();
  const auto date = std::chrono::year(year) / month / day;
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad();
  size_t at = 19;
  const int64_t micros = fraction_at(text, at);
  if (micros < 0) return bad();
  const auto offset = offset_at(text, at);
  if (!offset) return bad();
  return WallTime{std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
      std::chrono::minutes(minute) + std::chrono::seconds(second) - *offset +
      std::chrono::microseconds(micros))};
}

}  // namespace kinglet
