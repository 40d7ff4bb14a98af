// One version of a custom resource, compiled from its CustomResourceDefinition: a row of the
// catalogue like that of a built-in kind, and what the tables have no words for.
//
// Immutable and counted: whoever uses a row across a wait holds its CustomKind, since a definition
// may change or go at any time.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "schema/structural.h"
#include "schema/types.h"

namespace kinglet::schema {

// Paths of the scale subresource, by member names.
struct ScalePaths {
  std::vector<std::string> spec_replicas, status_replicas, label_selector;
};

struct CustomKind {
  Resource resource;  // refers into this struct
  Type type;          // metadata by the tables, everything else as it is
  Structural structural;
  std::vector<std::vector<std::string>> column_paths;  // of resource.columns beyond the name
  std::optional<ScalePaths> scale;
  bool has_status = false;
  json::Value openapi;  // the schema as the definition gives it

  std::deque<std::string> texts;  // what the views in `resource` and `type` refer to
  std::vector<Field> fields;
  std::vector<std::string_view> views;
  std::vector<Column> columns;
  std::vector<Subresource> subresources;
};

// Every served version of a definition, the stored one first. Errors: bad_request (a schema that
// cannot be compiled).
Result<std::vector<std::shared_ptr<const CustomKind>>> compile_definition(
    const json::Value& definition);

}  // namespace kinglet::schema
