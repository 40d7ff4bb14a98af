// Server-side apply on values: which fields a value has, which differ between two, the merge of an
// applied configuration, and the removal of fields that nobody wants any longer. Pure.
// Source: sigs.k8s.io/structured-merge-diff typed and merge.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "schema/field_set.h"
#include "schema/structural.h"
#include "schema/types.h"

namespace kinglet::schema {

// A place in an object: how its value is owned and merged. Refers to the tables or the structural
// schema, which outlive it.
class ApplyShape {
 public:
  enum class Form : uint8_t { leaf, map, list_map, list_set };

  static ApplyShape of(const Resource& resource);
  // What `value` is here: a value of another JSON type than the schema says is a leaf.
  Form form(const json::Value& value) const;
  ApplyShape member(std::string_view name) const;
  ApplyShape item() const;
  bool declares(std::string_view name) const;  // a field of a struct, not a key of a map
  bool is_key(std::string_view name) const;    // of the items of this list
  // The step to an item of a list. Errors: bad_request (a key is missing and has no default).
  Result<std::string> step_of(const json::Value& item) const;

 private:
  Form declared() const;
  std::vector<std::string> keys() const;
  json::Value key_default(std::string_view key) const;

  const Type* type_ = nullptr;
  const Field* field_ = nullptr;
  const Structural* custom_ = nullptr;
  bool element_ = false;  // of field_: an item of the list, a value of the map
  bool deduced_ = false;  // nothing is declared: maps are granular, all else is a leaf
};

// The fields of a configuration. Errors: bad_request (an item of a list without its key, or twice).
Result<FieldSet> fields_of(const ApplyShape& shape, const json::Value& value);

struct FieldChanges {
  FieldSet added, modified, removed;
  bool none() const { return added.empty() && modified.empty() && removed.empty(); }
};
FieldChanges compare_fields(const ApplyShape& shape, const json::Value& before,
                            const json::Value& after);

// `live` with everything that `applied` says. Errors: as fields_of.
Result<json::Value> merge_applied(const ApplyShape& shape, const json::Value& live,
                                  const json::Value& applied);

// Removes what is in `last` and not in `owned`, with everything below it that is not in `owned`
// either.
void remove_unowned(const ApplyShape& shape, json::Value& value, const FieldSet& last,
                    const FieldSet& owned);

}  // namespace kinglet::schema
