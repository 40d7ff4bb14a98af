// Writes OpenAPI documents as text, without building them as values: the whole catalogue is a
// megabyte of JSON, wanted once per client.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/types.h"

namespace kinglet::schema {

enum class OpenApiVersion : uint8_t { v2, v3 };

struct GroupVersionKind {
  std::string_view group, version, kind;
};

class OpenApiWriter {
 public:
  explicit OpenApiWriter(OpenApiVersion version) : version_(version) {}
  // The paths of one resource; `first` says whether a comma must come before it.
  void paths_of(const Resource& resource, bool& first);
  // The definitions of everything that paths_of referred to, and of what they refer to.
  void definitions();
  // The same piece by piece: what every document has is wanted, then one definition at a time until
  // none is left, then those that no table has.
  void want_common();
  bool next_definition(bool& first);
  void fixed_definitions(bool& first);
  // What has been written since the last take.
  std::string take() { return std::exchange(out_, {}); }
  void text(std::string_view raw) { out_ += raw; }

 private:
  bool v3() const { return version_ == OpenApiVersion::v3; }
  std::string reference(std::string_view openapi_name) const;
  void want(const Type* type);
  void definition(const Type& type);
  void property(const Field& field);
  std::string field_schema(const Field& field);
  std::string item_schema(const Field& field);
  void kinds_of(const Type& type);

  struct Operation;
  void path(const std::string& url, const std::vector<Operation>& operations, bool& first);
  void operation(const Operation& op);

  OpenApiVersion version_;
  std::string out_;
  std::set<std::string_view> wanted_;
  std::vector<const Type*> queue_;
};

}  // namespace kinglet::schema
