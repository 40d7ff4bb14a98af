#include "node/cri_log.h"

#include <charconv>

namespace kinglet::node {
namespace {
// conmon splits at 8 KiB, containerd at 16: what is longer is no record.
constexpr size_t kLineBytesMax = 256 << 10;

Result<std::optional<int64_t>> number(const net::Request& request, const char* name,
                                      int64_t least) {
  const auto* text = request.query_value(name);
  if (!text || text->empty()) return std::optional<int64_t>();
  int64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size())
    return Error(Code::bad_request, "{}: \"{}\" is not a number", name, *text);
  if (value < least)
    return Error(Code::invalid, "{}: Invalid value: {}: must be greater than or equal to {}", name,
                 value, least);
  return std::optional<int64_t>(value);
}

Result<bool> flag(const net::Request& request, const char* name) {
  const auto* text = request.query_value(name);
  if (!text) return false;
  if (text->empty() || *text == "true" || *text == "1") return true;  // "?follow" alone means yes
  if (*text == "false" || *text == "0") return false;
  return Error(Code::bad_request, "{}: \"{}\" is not true or false", name, *text);
}
}  // namespace

Result<LogOptions> parse_log_options(const net::Request& request, WallTime now) {
  LogOptions options;
  KL_TRY_FN(follow, flag(request, "follow"));
  KL_TRY_FN(previous, flag(request, "previous"));
  KL_TRY_FN(timestamps, flag(request, "timestamps"));
  KL_TRY_FN(tail, number(request, "tailLines", 0));
  KL_TRY_FN(limit, number(request, "limitBytes", 1));
  KL_TRY_FN(seconds, number(request, "sinceSeconds", 1));
  options.follow = follow;
  options.previous = previous;
  options.timestamps = timestamps;
  options.tail_lines = tail;
  options.limit_bytes = limit;
  if (seconds) {
    constexpr int64_t kSecondsMax = int64_t{100} * 365 * 24 * 3600;  // before any log; no overflow
    options.since =
        WallTime{now.since_epoch - std::chrono::seconds(std::min(*seconds, kSecondsMax))};
  }
  if (const auto* time = request.query_value("sinceTime"); time && !time->empty()) {
    if (options.since)
      return Error(Code::invalid, "at most one of `sinceTime` or `sinceSeconds` may be specified");
    KL_TRY_FN(since, parse_rfc3339(*time), "sinceTime");
    options.since = since;
  }
  if (const auto* source = request.query_value("stream"); source && !source->empty()) {
    if (*source != "All" && *source != "Stdout" && *source != "Stderr")
      return Error(Code::invalid, "stream: Unsupported value: \"{}\"", *source);
    if (*source != "All")
      options.source = *source == "Stdout" ? LogOptions::Source::out : LogOptions::Source::err;
  }
  return options;
}

std::optional<LogLine> parse_log_line(std::string_view line) {
  LogLine out;
  const auto word = [&line]() -> std::string_view {
    const size_t space = line.find(' ');
    if (space == line.npos) return {};
    const auto first = line.substr(0, space);
    line.remove_prefix(space + 1);
    return first;
  };
  out.time = word();
  out.source = word();
  const std::string_view tags = word();
  if (out.time.size() < 20 || (out.source != "stdout" && out.source != "stderr"))
    return std::nullopt;
  const std::string_view tag = tags.substr(0, tags.find(':'));
  if (tag != "F" && tag != "P") return std::nullopt;
  out.partial = tag == "P";
  out.text = line;
  return out;
}

bool LogFilter::emit(std::string_view text, std::string& out) {
  const auto line = parse_log_line(text);
  if (!line) return true;  // a torn record after a power cut is no reason to stop
  if (options_.source == LogOptions::Source::out && line->source != "stdout") return true;
  if (options_.source == LogOptions::Source::err && line->source != "stderr") return true;
  if (options_.since) {
    const auto time = parse_rfc3339(std::string(line->time));
    if (time && *time < *options_.since) return true;
  }
  const size_t before = out.size();
  if (options_.timestamps && !line_open_) {
    const bool utc = line->time.ends_with("+00:00");
    out.append(line->time.substr(0, line->time.size() - (utc ? 6 : 0))).append(utc ? "Z " : " ");
  }
  out.append(line->text);
  if (!line->partial) out += '\n';
  line_open_ = line->partial;
  written_ += static_cast<int64_t>(out.size() - before);
  if (!options_.limit_bytes || written_ < *options_.limit_bytes) return true;
  out.resize(out.size() - static_cast<size_t>(written_ - *options_.limit_bytes));
  return false;
}

bool LogFilter::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    if (newline == bytes.npos) {
      if (rest_.size() + bytes.size() > kLineBytesMax) skipping_ = true;
      if (skipping_)
        rest_.clear();
      else
        rest_.append(bytes);
      return true;
    }
    bool more = true;
    if (skipping_)
      skipping_ = false;
    else if (rest_.empty())
      more = emit(bytes.substr(0, newline), out);
    else
      more = emit(rest_.append(bytes.substr(0, newline)), out);
    rest_.clear();
    bytes.remove_prefix(newline + 1);
    if (!more) return false;
  }
  return true;
}

void LogFilter::end_of_file() {
  rest_.clear();
  skipping_ = false;
}

}  // namespace kinglet::node
