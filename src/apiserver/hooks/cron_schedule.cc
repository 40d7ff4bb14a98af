// The syntax of CronJob.spec.schedule: five fields, or one of the @names.
#include <charconv>

#include "apiserver/hooks/workload_rules.h"

namespace kinglet::apiserver {
namespace {

struct CronField {
  std::string_view name;
  int low, high;
  std::initializer_list<std::string_view> names;  // of the values from `low`
};
const CronField kFields[] = {
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day of month", 1, 31, {}},
    {"month",
     1,
     12,
     {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {"day of week", 0, 6, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};

std::optional<int> value_of(const CronField& field, std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  int value = field.low;
  for (const auto name : field.names) {
    if (name == lower) return value;
    ++value;
  }
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < 0)
    return std::nullopt;
  return value;
}

// "*", "5", "1-5", "*/10", "1-30/2"
bool is_range(const CronField& field, std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    int step = 0;
    const auto digits = text.substr(slash + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || step <= 0)
      return false;
    text = text.substr(0, slash);
  }
  if (text == "*" || text == "?") return true;
  const size_t dash = text.find('-');
  const auto first = value_of(field, text.substr(0, dash));
  if (!first || *first < field.low || *first > field.high) return false;
  if (dash == std::string_view::npos) return true;
  const auto last = value_of(field, text.substr(dash + 1));
  return last && *last >= *first && *last <= field.high;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  for (size_t at = 0; (at = text.find_first_not_of(separators, at)) != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// "1h30m": Go's durations, whole units.
bool is_duration(std::string_view text) {
  if (text.empty()) return false;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const size_t unit = std::min(text.find_first_of("0123456789.", digits), text.size());
    const auto name = text.substr(digits, unit - digits);
    const bool known =
        name == "ns" || name == "us" || name == "ms" || name == "s" || name == "m" || name == "h";
    if (digits == 0 || !known) return false;
    text.remove_prefix(unit);
  }
  return true;
}

std::string schedule_error(std::string_view text) {
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ="))
    return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
  if (text.starts_with('@')) {
    for (const std::string_view name :
         {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
      if (text == name) return {};
    if (text.starts_with("@every ") && is_duration(text.substr(7))) return {};
    return fmt::format("unrecognized descriptor: {}", text);
  }
  const auto fields = split(text, " \t");
  if (fields.size() != std::size(kFields))
    return fmt::format("expected exactly 5 fields, found {}: [{}]", fields.size(),
                       fmt::join(fields, " "));
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto parts = split(fields[i], ",");
    for (const auto part : parts)
      if (!is_range(kFields[i], part))
        return fmt::format("failed to parse {} {}", kFields[i].name, part);
    if (parts.empty()) return fmt::format("failed to parse {} {}", kFields[i].name, fields[i]);
  }
  return {};
}

}  // namespace

void validate_cron_schedule(const json::Value& schedule, const Path& path, Causes& causes) {
  if (is_empty(schedule)) return schema::add_required(causes, path);
  if (!schedule.is_string()) return;
  const auto error = schedule_error(schedule.get_string());
  if (!error.empty()) schema::add_invalid(causes, path, schedule, error);
}

}  // namespace kinglet::apiserver
