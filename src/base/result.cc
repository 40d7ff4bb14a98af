#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kinglet {
namespace {
struct CodeRow {
  const char* reason;
  int status;
};
// Indexed by Code. Source: k8s.io/apimachinery metav1.StatusReason and its HTTP codes.
constexpr CodeRow kCodes[] = {
    {"BadRequest", 400},
    {"Unauthorized", 401},
    {"Forbidden", 403},
    {"NotFound", 404},
    {"MethodNotAllowed", 405},
    {"NotAcceptable", 406},
    {"AlreadyExists", 409},
    {"Conflict", 409},
    {"Expired", 410},
    {"RequestEntityTooLarge", 413},
    {"UnsupportedMediaType", 415},
    {"Invalid", 422},
    {"TooManyRequests", 429},
    {"InternalError", 500},
    {"ServerTimeout", 500},
    {"ServiceUnavailable", 503},
    {"Timeout", 504},
    {"ServiceUnavailable", 503},
    {"InternalError", 500},
};
static_assert(std::size(kCodes) == static_cast<size_t>(Code::io) + 1);
}  // namespace

const char* reason_of(Code code) { return kCodes[static_cast<size_t>(code)].reason; }
int http_status_of(Code code) { return kCodes[static_cast<size_t>(code)].status; }

const Error::Details& Error::details() const {
  static const Details empty;
  return details_ ? *details_ : empty;
}

Error::Details& Error::mutable_details() {
  if (!details_) details_ = std::make_shared<Details>();
  if (details_.use_count() > 1) details_ = std::make_shared<Details>(*details_);
  return *details_;
}

Error Error::with_context(const std::string& context) && {
  message_ = context + ": " + message_;
  return std::move(*this);
}

Error errno_error(int number, const std::string& what) {
  const Code code = number == ENOENT   ? Code::not_found
                    : number == EEXIST ? Code::already_exists
                                       : Code::io;
  return Error(code, what + ": " + std::strerror(number));
}

namespace detail {
void assert_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "%s:%d: assertion failed: %s %s\n", file, line, condition, message.c_str());
  std::fflush(stderr);
  std::abort();
}
}  // namespace detail
}  // namespace kinglet
