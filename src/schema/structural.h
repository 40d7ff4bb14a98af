// Structural schemas: the types of custom resources, compiled from a CustomResourceDefinition's
// openAPIV3Schema at run time. What the tables do for built-in kinds, these functions do for them.
//
// Immutable once compiled. Recursion is bounded by json::kDepthMax.
// Source: k8s.io/apiextensions-apiserver apiserver/schema.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "schema/causes.h"
#include "schema/types.h"

namespace kinglet::schema {

class Pattern;  // a compiled regular expression

struct Structural {
  enum class Form : uint8_t { any, object, array, string, integer, number, boolean };
  Form form = Form::any;
  bool nullable = false, int_or_string = false, preserve_unknown = false, embedded = false;
  bool atomic_map = false;
  ListType list_type = ListType::atomic;
  std::vector<std::string> list_keys;
  std::map<std::string, Structural, std::less<>> properties;
  std::unique_ptr<Structural> additional;  // schema of the values of a map
  bool additional_allowed = false;         // additionalProperties: true
  std::unique_ptr<Structural> items;
  std::optional<json::Value> default_value;

  // Validation.
  std::string format;
  std::vector<json::Value> values;  // enum
  std::shared_ptr<const Pattern> pattern;
  std::optional<double> minimum, maximum, multiple_of;
  bool exclusive_minimum = false, exclusive_maximum = false, unique_items = false;
  std::optional<int64_t> length_min, length_max, items_min, items_max, members_min, members_max;
  std::vector<std::string> required;
  std::vector<Structural> all_of, any_of, one_of;
  std::unique_ptr<Structural> none_of;  // not

  const Structural* member(std::string_view name) const;  // null: not declared
};

// Limits on what one definition may ask of the server.
constexpr size_t kStructuralNodesMax = 100'000;
constexpr size_t kPatternBytesMax = 4096;

// Errors: bad_request with the path of what cannot be compiled.
Result<Structural> compile_structural(const json::Value& schema);

// Drops what the schema does not declare; names of dropped fields go to `unknown` ("spec.foo").
// `root`: kind, apiVersion and metadata are not the schema's to judge.
void prune(const Structural& schema, json::Value& value, bool root,
           std::vector<std::string>* unknown);
// Fills declared defaults, and drops nulls where null is not allowed and a default is declared.
void apply_structural_defaults(const Structural& schema, json::Value& value);
void validate_structural(const Structural& schema, const json::Value& value, bool root,
                         Causes& causes);

}  // namespace kinglet::schema
