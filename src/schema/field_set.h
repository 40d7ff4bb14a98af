// Sets of the fields of an object, as server-side apply records them (metadata.managedFields).
//
// A tree: each edge is a step in FieldsV1 spelling ("f:spec", `k:{"name":"a"}`, `v:"x"`, "i:0"),
// and a node says whether the path that leads to it is in the set. Values; nothing is shared.
// Source: sigs.k8s.io/structured-merge-diff fieldpath, FieldsV1.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"

namespace kinglet::schema {

class FieldSet {
 public:
  bool member = false;
  std::map<std::string, FieldSet, std::less<>> children;

  bool empty() const { return !member && children.empty(); }
  void insert(std::span<const std::string> path);
  const FieldSet* find(std::string_view step) const;

  void add(const FieldSet& other);       // what either has
  void subtract(const FieldSet& other);  // what the other does not have
  FieldSet common(const FieldSet& other) const;
  // Without everything at or below a path of steps.
  void drop(std::span<const std::string_view> path);
  bool operator==(const FieldSet&) const = default;

  // FieldsV1. Errors: bad_request.
  static Result<FieldSet> parse(const json::Value& fields);
  json::Value json() const;
  // Calls `each` with every path in the set as people read it: `.spec.containers[name="a"].image`.
  void each_path(const std::function<void(const std::string&)>& each) const;
};

// Steps of a path.
std::string field_step(std::string_view name);
std::string key_step(const json::Object& keys);    // of a list item by its keys, in any order
std::string value_step(const json::Value& value);  // of a set's item

}  // namespace kinglet::schema
