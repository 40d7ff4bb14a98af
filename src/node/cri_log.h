// Container logs in the CRI format: "2026-11-22T06:30:17.940249334+00:00 stdout F text". Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/http.h"

namespace kinglet::node {

// PodLogOptions, as the query has them.
struct LogOptions {
  bool follow = false, previous = false, timestamps = false;
  std::optional<int64_t> tail_lines;
  std::optional<WallTime> since;
  std::optional<int64_t> limit_bytes;
  enum class Source { all, out, err } source = Source::all;
};
// Errors: bad_request (no number, no time), invalid (out of range, sinceSeconds with sinceTime).
Result<LogOptions> parse_log_options(const net::Request& request, WallTime now);

struct LogLine {
  std::string_view time;    // as written
  std::string_view source;  // "stdout", "stderr"
  bool partial = false;     // the line goes on in the next record
  std::string_view text;    // no newline
};
// `line` without its newline; nullopt: it is not in the format.
std::optional<LogLine> parse_log_line(std::string_view line);

// Turns a log's bytes, fed in any pieces, into what the client gets.
class LogFilter {
 public:
  explicit LogFilter(const LogOptions& options) : options_(options) {}
  // Appends to `out`. False: the byte limit is reached.
  bool feed(std::string_view bytes, std::string& out);
  // The file ends here, perhaps in the middle of a line: what is left of it is dropped, as it was
  // never written whole.
  void end_of_file();

 private:
  bool emit(std::string_view line, std::string& out);

  const LogOptions options_;
  std::string rest_;        // a line without its end
  bool skipping_ = false;   // the line is longer than we keep
  bool line_open_ = false;  // the last record was partial
  int64_t written_ = 0;
};

}  // namespace kinglet::node
