// Log: constant message + key/value pairs, one line each, to stderr (or a sink a test gives).
// error: a person must act; warn: we retry, somebody may wonder; info: a lasting change of state; debug: off.
// Never secrets, never whole objects.
#pragma once
#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kinglet {

enum class LogLevel { debug, info, warn, error };

struct LogField {
  std::string_view key;
  std::string value;
};
inline LogField kv(std::string_view key, const Error& error) { return {key, error.message()}; }
template <class T>
LogField kv(std::string_view key, const T& value) {
  return {key, fmt::format("{}", value)};
}

class Log {
 public:
  // `name` is the component ("scheduler"); a copy is cheap.
  explicit Log(std::string name) : name_(std::move(name)) {}
  template <class... F>
  void debug(std::string_view message, const F&... fields) const { write(LogLevel::debug, message, {fields...}); }
  template <class... F>
  void info(std::string_view message, const F&... fields) const { write(LogLevel::info, message, {fields...}); }
  template <class... F>
  void warn(std::string_view message, const F&... fields) const { write(LogLevel::warn, message, {fields...}); }
  template <class... F>
  void error(std::string_view message, const F&... fields) const { write(LogLevel::error, message, {fields...}); }

  static void set_level(LogLevel level);
  using Sink = std::function<void(LogLevel, std::string_view line)>;
  static void set_sink(Sink sink);  // empty: back to stderr

 private:
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const;
  std::string name_;
};

}  // namespace kinglet
