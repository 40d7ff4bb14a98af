// The tables: every built-in type, field by field, as constant data (it stays in the file's pages
// until read).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace kinglet::schema {

enum class Kind : uint8_t {
  string,
  boolean,
  int32,
  int64,
  float64,
  bytes,
  quantity,
  int_or_string,
  time,
  micro_time,
  duration,
  raw,     // RawExtension: any JSON object
  any,     // any JSON value
  object,  // Field::type says which
};
enum class Cardinality : uint8_t { one, list, map };
enum class ListType : uint8_t { atomic, set, map };
// What the JSON of a Type is. Anything but `object` is opaque to patches: replaced as a whole.
enum class JsonForm : uint8_t {
  object,
  strings,         // a list of strings (ExtraValue, Verbs)
  schema_or_list,  // the alternatives inside a JSON schema: the field that is set is the value
  schema_or_bool,
  schema_or_strings,
};

struct Type;

struct Field {
  std::string_view name;  // JSON name; for `is_inline` the embedded struct's
  Kind kind;
  Cardinality cardinality;
  ListType list_type;
  bool required;
  bool pointer;    // absent and zero differ
  bool is_inline;  // its fields appear in the parent in JSON, in a message of their own in protobuf
  bool atomic;     // server-side apply owns the whole value (mapType or structType atomic)
  bool patch_merge;            // patchStrategy merge
  bool patch_retain_keys;      // patchStrategy retainKeys
  bool patch_replace;          // patchStrategy replace: a struct that is not merged
  int32_t number;              // protobuf; 0: not in protobuf
  const Type* type;            // kind == object
  std::string_view merge_key;  // patchMergeKey
  std::span<const std::string_view> list_keys;  // listMapKeys
  std::string_view json_zero;     // what a typed encoder prints when unset; empty: nothing
  std::string_view default_json;  // declared default, JSON text; empty: none
  std::span<const std::string_view> values;        // closed set of an enum; empty: open
  std::span<const std::string_view> known_values;  // usual values of an open string
  std::string_view doc;                            // one line of ours; may be empty
};

struct Type {
  std::string_view name;          // "core.v1.PodSpec"
  std::string_view openapi_name;  // "io.k8s.api.core.v1.PodSpec"
  std::string_view go_name;       // "PodSpec" (decode errors name it)
  std::string_view api_version;   // "apps/v1", "v1"; empty when it is no kind
  std::string_view kind;          // empty when it is no kind
  std::span<const Field> fields;  // encoder order
  JsonForm form;
  bool atomic;
  std::string_view doc;
  // By JSON name, through inline structs; null when there is none.
  const Field* field(std::string_view json_name) const;
};

struct Subresource {
  std::string_view name;  // "status"
  std::string_view group, version, kind;
  std::span<const std::string_view> verbs;
};

struct Column {
  std::string_view name, type, format, description;
  int priority;
};

struct CustomKind;  // custom_kind.h

struct Resource {
  std::string_view group, version, kind, list_kind, plural, singular;
  std::span<const std::string_view> short_names, categories, verbs;
  std::span<const Subresource> subresources;
  std::span<const Column> columns;
  bool namespaced;
  bool storage;                           // this version is the stored one
  std::string_view storage_version_hash;  // as in discovery
  const Type* type;

  std::string_view group_version() const { return group_version_; }  // "apps/v1", "v1"
  std::string_view group_version_;
  std::string_view qualified_;  // "deployments.apps", "pods": the name in error messages
  const CustomKind* custom = nullptr;  // of a custom resource: what its definition says beyond this
  bool has_verb(std::string_view verb) const;
  const Subresource* subresource(std::string_view name) const;
};

struct Group {
  std::string_view name;
  std::span<const std::string_view> versions;  // preferred first
  int priority;                                // groupPriorityMinimum of its APIServices
  std::span<const int> version_priorities;     // by version
};

// The built-in catalogue.
std::span<const Type* const> types();
std::span<const Resource* const> resources();
std::span<const Group> groups();  // in discovery order
const Type* find_type(std::string_view name);
// Of anything with kind and apiVersion: objects, lists, options, Status. Null when there is none.
const Type* find_object_type(std::string_view api_version, std::string_view kind);
const Resource* find_resource(std::string_view group, std::string_view version,
                              std::string_view plural);
const Resource* find_kind(std::string_view group, std::string_view version, std::string_view kind);

}  // namespace kinglet::schema
