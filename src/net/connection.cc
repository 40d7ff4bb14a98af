#include "net/internal/connection.h"

#include <http_parser.h>

#include <array>
#include <ctime>

namespace kinglet::net {

std::span<char> scratch() {
  thread_local std::array<char, 32 << 10> buffer;
  return buffer;
}

const std::string& http_date(Clock& clock) {
  thread_local std::time_t made_for = -1;
  thread_local std::string text;
  const std::time_t now =
      std::chrono::floor<std::chrono::seconds>(clock.wall().since_epoch).count();
  if (now == made_for) return text;
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm t{};
  gmtime_r(&now, &t);
  text = fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday,
                     kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  made_for = now;
  return text;
}

std::string_view status_text(int status) {
  const char* known = http_status_str(static_cast<http_status>(status));
  return std::string_view(known) == "<unknown>" ? "Status" : known;
}

bool status_has_body(int status) { return status >= 200 && status != 204 && status != 304; }

bool valid_header(std::string_view name, std::string_view value) {
  for (const unsigned char c : name)
    if (c <= 0x20 || c >= 0x7f || c == ':') return false;
  for (const unsigned char c : value)
    if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
  return !name.empty();
}

namespace {
class PipeStream final : public Stream {
 public:
  explicit PipeStream(BodyPipe& pipe) : pipe_(pipe) {}
  Task<Result<size_t>> read(std::span<char> out) override { return pipe_.pipe_read(out); }
  Task<Result<void>> write(std::string_view bytes) override { return pipe_.pipe_write(bytes); }
  Task<Result<void>> close_write() override { return pipe_.pipe_close(); }

 private:
  BodyPipe& pipe_;
};
}  // namespace

std::unique_ptr<Stream> make_pipe_stream(BodyPipe& pipe) {
  return std::make_unique<PipeStream>(pipe);
}

}  // namespace kinglet::net
