// What the tables do to a value. All functions are pure; recursion is bounded by json::kDepthMax.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::schema {

// --- decode ---------------------------------------------------------------------------------------------------
// Checks `value` against the type and rewrites it into canonical form: fields in encoder order, nulls and unknown
// fields gone, quantities, times and durations normalised, bytes checked as base64. A field whose name differs in
// case is unknown.
// Errors: bad_request, worded as the real server does: `json: cannot unmarshal string into Go struct field
// PodSpec.spec.containers of type []v1.Container`.
struct Unknown {
  std::vector<std::string> paths;  // `spec.foo`, `spec.containers[0].bar`
};
Result<json::Value> decode(const Type& type, const json::Value& value, Unknown* unknown = nullptr);

// Fills declared and behavioural defaults of the decode stage (fields.tsv default, defaults.tsv stage decode).
void apply_defaults(const Resource& resource, json::Value& object);

// The canonical text: kind and apiVersion first, then encoder order, always-printed zero fields printed.
std::string encode(const Resource& resource, const json::Value& object);
// The same for any type; kind and apiVersion are printed as they stand in `value`.
std::string encode(const Type& type, const json::Value& value);

// --- patches --------------------------------------------------------------------------------------------------
// Strategic merge with all directives ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList).
Result<json::Value> strategic_merge(const Type& type, const json::Value& original, const json::Value& patch);

// --- structural validation that the tables know: required fields, enums, formats of names, labels, quantities ---
// Appends causes with field paths; the per-kind rules are the apiserver's hooks.
void validate_structure(const Resource& resource, const json::Value& object, std::vector<Cause>& causes);

// --- protobuf -------------------------------------------------------------------------------------------------
// The "k8s\0" envelope both ways. What is read is canonical, as decode gives it. Errors: bad_request.
Result<json::Value> from_protobuf(std::string_view bytes);
// The type is found by apiVersion and kind; empty when there is none (a custom resource): JSON is all it has.
std::string to_protobuf(const json::Value& object);
// A frame of a protobuf watch, without its length; `object` as to_protobuf gives it.
std::string protobuf_watch_event(std::string_view type, std::string_view object);

// --- Table ----------------------------------------------------------------------------------------------------
// The cells of one row in wide form, in the order of resource.columns. `now` for ages.
json::Array table_cells(const Resource& resource, const json::Value& object, int64_t now_seconds);
std::string short_age(int64_t seconds);  // "95s", "5m3s", "3d5h"

// --- OpenAPI --------------------------------------------------------------------------------------------------
// Built on demand, not kept: the caller caches compressed if it likes.
std::string openapi_v2();
std::string openapi_v2_protobuf();  // the same as gnostic's openapi.v2.Document
std::string openapi_v3(std::string_view group, std::string_view version);

}  // namespace kinglet::schema
