// JSON values (Boost.JSON's, under our names) and the printer whose output is the canonical form on disk and wire.
#pragma once
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kinglet::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

// Deeper documents are refused: recursion over a value stays within the stack. The real server stops at 10,000
// by stack size; no object of a client comes near this.
constexpr size_t kDepthMax = 128;

// Parses one document; trailing text is an error. Errors: bad_request with the offset.
// Duplicate keys: the last one wins; each is appended to `duplicates` as its path ("spec.x", "a.b[2].c").
Result<Value> parse(std::string_view text, std::vector<std::string>* duplicates = nullptr);

// One line, object keys in the order they have, "<>&" and U+2028/9 escaped as Go's encoder does.
std::string print(const Value& value);
void print_to(std::string& out, const Value& value);  // appends
std::string print_pretty(const Value& value, int indent = 2);  // Go's json.MarshalIndent
void print_string(std::string& out, std::string_view text);    // appends the quoted form

// YAML 1.1 as Kubernetes reads it (sigs.k8s.io/yaml): one document to JSON types. Anchors are expanded under a
// limit on the size of the result. Errors: bad_request with line and column.
Result<Value> parse_yaml(std::string_view text, std::vector<std::string>* duplicates = nullptr);
// Splits a stream at "---" lines; empty documents are left out.
Result<std::vector<Value>> parse_yaml_stream(std::string_view text);
std::string print_yaml(const Value& value);  // keys sorted, as kubectl prints

// Walks objects by member names; null when a step is missing or no object.
const Value* find(const Value& root, std::initializer_list<std::string_view> path);
std::string_view text_at(const Value& root, std::initializer_list<std::string_view> path);  // "" when no string
int64_t int_at(const Value& root, std::initializer_list<std::string_view> path, int64_t otherwise = 0);
bool bool_at(const Value& root, std::initializer_list<std::string_view> path, bool otherwise = false);
// The object member `name`, made as an empty object when missing or null.
Object& child(Object& parent, std::string_view name);

// RFC 6902 and RFC 7386. Errors: bad_request (malformed patch), invalid (path missing, test failed).
constexpr size_t kJsonPatchOperationsMax = 10000;
Result<void> apply_json_patch(Value& target, const Value& patch);
void apply_merge_patch(Value& target, const Value& patch);

}  // namespace kinglet::json
