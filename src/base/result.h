// Result<T>: the value, or the Error why there is none. Shaped like std::expected.
//
// Codes are the reasons of the Kubernetes Status object (plus unavailable and io), so that an error
// reaches a client without translation.
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace kinglet {

enum class Code : uint8_t {
  bad_request,
  unauthorized,
  forbidden,
  not_found,
  method_not_allowed,
  not_acceptable,
  already_exists,
  conflict,
  expired,  // 410: a resourceVersion or continue token is too old
  too_large,
  unsupported_media_type,
  invalid,  // 422; causes() name the fields
  too_many_requests,
  internal,
  server_timeout,
  service_unavailable,
  timeout,
  unavailable,  // a peer, disk or process cannot be reached just now; a retry may help
  io,           // the operating system said no
};

// The Status reason of a code ("NotFound"), and its HTTP status (404).
const char* reason_of(Code code);
int http_status_of(Code code);

// One field error of an `invalid` Status: reason such as "FieldValueRequired".
struct Cause {
  std::string reason;
  std::string message;
  std::string field;
};

class [[nodiscard]] Error {
 public:
  // What only some errors carry; kept apart so that an Error stays small.
  struct Details {
    std::vector<Cause> causes;
    std::string name, group, kind, uid;
    int retry_after_seconds = 0;
    std::string continue_token;  // expired lists: where an inconsistent continuation may start
  };

  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  template <class A, class... Args>
  Error(Code code, fmt::format_string<A, Args...> format, A&& a, Args&&... args)
      : code_(code),
        message_(fmt::format(format, std::forward<A>(a), std::forward<Args>(args)...)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const Details& details() const;
  Details& mutable_details();

  // "context: message"
  Error with_context(const std::string& context) &&;

 private:
  Code code_;
  std::string message_;
  std::shared_ptr<Details> details_;  // copied on write
};

// errno -> io (not_found for ENOENT, already_exists for EEXIST): "what: No such file or directory".
Error errno_error(int number, const std::string& what);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit
  explicit operator bool() const { return state_.index() == 0; }
  bool has_value() const { return state_.index() == 0; }
  T& operator*() & { return std::get<0>(state_); }
  const T& operator*() const& { return std::get<0>(state_); }
  T&& operator*() && { return std::get<0>(std::move(state_)); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  T& value() & { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  Error& error() { return std::get<1>(state_); }
  const Error& error() const { return std::get<1>(state_); }
  Code code() const { return error().code(); }
  // True when this is an error of that code.
  bool is(Code c) const { return !has_value() && error().code() == c; }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit
  explicit operator bool() const { return !error_; }
  bool has_value() const { return !error_; }
  Error& error() { return *error_; }
  const Error& error() const { return *error_; }
  Code code() const { return error_->code(); }
  bool is(Code c) const { return error_ && error_->code() == c; }

 private:
  std::optional<Error> error_;
};

namespace detail {
inline Error add_context(Error error) { return error; }
template <class... Args>
Error add_context(Error error, fmt::format_string<Args...> format, Args&&... args) {
  return std::move(error).with_context(fmt::format(format, std::forward<Args>(args)...));
}
[[noreturn]] void assert_failed(const char* file, int line, const char* condition,
                                const std::string& message);
inline std::string assert_text() { return {}; }
template <class... Args>
std::string assert_text(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace detail

}  // namespace kinglet

#define KL_CONCAT_(a, b) a##b
#define KL_CONCAT(a, b) KL_CONCAT_(a, b)

// Coroutines: binds `name` to the value of a Result, or co_returns its error with context.
#define KL_TRY(name, expr, ...) KL_TRY_(co_return, KL_CONCAT(result_, __LINE__), name, expr, __VA_ARGS__)
#define KL_CHECK(expr, ...) KL_CHECK_(co_return, KL_CONCAT(result_, __LINE__), expr, __VA_ARGS__)
// The same for plain functions.
#define KL_TRY_FN(name, expr, ...) KL_TRY_(return, KL_CONCAT(result_, __LINE__), name, expr, __VA_ARGS__)
#define KL_CHECK_FN(expr, ...) KL_CHECK_(return, KL_CONCAT(result_, __LINE__), expr, __VA_ARGS__)

#define KL_TRY_(ret, temporary, name, expr, ...)                                              \
  auto temporary = (expr);                                                                    \
  if (!temporary)                                                                             \
    ret ::kinglet::detail::add_context(std::move(temporary.error()) __VA_OPT__(, ) __VA_ARGS__); \
  auto&& name = *std::move(temporary)
#define KL_CHECK_(ret, temporary, expr, ...) \
  do {                                       \
    auto temporary = (expr);                 \
    if (!temporary)                          \
      ret ::kinglet::detail::add_context(    \
          std::move(temporary.error()) __VA_OPT__(, ) __VA_ARGS__); \
  } while (false)

// For our own mistakes only, on in release too: the process dies and restarts, pods keep running.
// Bytes from disk, network or users never reach an assert: they get an Error.
#define KL_ASSERT(condition, ...)                                                   \
  do {                                                                              \
    if (!(condition)) [[unlikely]]                                                  \
      ::kinglet::detail::assert_failed(__FILE__, __LINE__, #condition,              \
                                       ::kinglet::detail::assert_text(__VA_ARGS__)); \
  } while (false)
