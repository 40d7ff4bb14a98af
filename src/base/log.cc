#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace kinglet {
namespace {
std::atomic<LogLevel> g_level = LogLevel::info;  // the process's, as stderr is
Log::Sink g_sink;

spdlog::logger& stderr_logger() {
  static const auto logger = [] {
    auto made = std::make_shared<spdlog::logger>("kinglet",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %v", spdlog::pattern_time_type::utc);
    made->set_level(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

bool needs_quotes(std::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(), [](unsigned char c) {
           return c <= 0x20 || c == '"' || c == '=' || c == 0x7f;
         });
}

void append_quoted(std::string& out, std::string_view value) {
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\x{:02x}", c);
    else
      out += c;
  }
  out += '"';
}
}  // namespace

void Log::set_level(LogLevel level) { g_level = level; }
void Log::set_sink(Sink sink) { g_sink = std::move(sink); }

void Log::write(LogLevel level, std::string_view message,
                std::initializer_list<LogField> fields) const {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  std::string line = fmt::format("{}: {}", name_, message);
  for (const auto& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (needs_quotes(field.value))
      append_quoted(line, field.value);
    else
      line += field.value;
  }
  if (g_sink) {
    g_sink(level, line);
    return;
  }
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                   spdlog::level::warn, spdlog::level::err};
  stderr_logger().log(kLevels[static_cast<int>(level)], spdlog::string_view_t(line));
}
}  // namespace kinglet
