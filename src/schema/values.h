// The three value types of the API that are more than text: quantities, int-or-string, label
// selectors.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "json/json.h"

namespace kinglet::schema {

// Longer numbers are refused: no value that a Quantity can hold needs as many.
constexpr size_t kQuantityDigitsMax = 256;

// A resource quantity (k8s.io/apimachinery resource.Quantity): exact, kept as text in canonical
// form.
class Quantity {
 public:
  Quantity() = default;
  static Result<Quantity> parse(std::string_view text);  // errors: invalid, upstream's message
  const std::string& text() const { return text_; }      // canonical: "100m", "1Gi", "1500m"
  int64_t value() const;                                 // rounded up; saturates at int64
  int64_t milli_value() const;                           // rounded up; saturates
  bool is_zero() const;
  int compare(const Quantity& other) const;  // <0, 0, >0
  Quantity plus(const Quantity& other) const;
  Quantity minus(const Quantity& other) const;
  Quantity rounded_up_to_milli() const;  // what resource lists keep
  bool operator==(const Quantity& other) const { return text_ == other.text_; }

 private:
  std::string text_ = "0";
};

struct IntOrString {
  int32_t number = 0;
  std::optional<std::string> text;  // set: the string form
  bool operator==(const IntOrString&) const = default;
  // A percentage of `total` or the number; rounds up or down. Errors: invalid.
  Result<int> scaled(int total, bool round_up) const;
};

// Of a selector's text: more than any URL that a client sends.
constexpr size_t kSelectorBytesMax = 64 << 10;

// Label selectors: "a=b,c!=d,e in (f,g),!h" and the LabelSelector object.
using Labels = std::span<const std::pair<std::string, std::string>>;
struct Requirement {
  enum class Op : uint8_t { in, not_in, exists, absent, greater, less };
  std::string key;
  Op op;
  std::vector<std::string> values;
  bool operator==(const Requirement&) const = default;
};
class Selector {
 public:
  Selector() = default;                                  // matches everything
  static Result<Selector> parse(std::string_view text);  // errors: bad_request
  static Result<Selector> from_object(
      const json::Value& selector);  // matchLabels + matchExpressions
  static Selector nothing();
  bool empty() const { return requirements_.empty() && !nothing_; }
  template <class Find>  // Find: key -> const std::string* (null: absent)
  bool matches_with(Find&& find) const {
    if (nothing_) return false;
    for (const auto& r : requirements_)
      if (!requirement_matches(r, find(r.key))) return false;
    return true;
  }
  std::string text() const;
  const std::vector<Requirement>& requirements() const { return requirements_; }
  void add(Requirement requirement) { requirements_.push_back(std::move(requirement)); }

 private:
  static bool requirement_matches(const Requirement& requirement, const std::string* value);
  std::vector<Requirement> requirements_;
  bool nothing_ = false;
};

// Name and label syntax (RFC 1123, RFC 1035 and Kubernetes' own). Each returns upstream's messages,
// none when valid.
std::vector<std::string> dns1123_label_errors(std::string_view text);
std::vector<std::string> dns1123_subdomain_errors(std::string_view text);
std::vector<std::string> dns1035_label_errors(std::string_view text);
std::vector<std::string> label_key_errors(std::string_view text);
std::vector<std::string> label_value_errors(std::string_view text);

}  // namespace kinglet::schema
