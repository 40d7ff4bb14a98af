// The parts of strategic merge: what the tables say about a place in the object, and the merging of
// lists there.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::schema {

// A place in an object, as the tables describe it; without a field nothing is known and lists are
// replaced.
class Shape {
 public:
  explicit Shape(const Type& type) : type_(&type) {}
  Shape member(std::string_view name) const;
  Shape item() const;  // an element of the list that this is
  std::string_view merge_key() const;
  bool merges_list() const;
  bool replaces() const;

 private:
  Shape(const Field* field, bool inside_map) : field_(field), inside_map_(inside_map) {}
  const Type* type_ = nullptr;  // the root
  const Field* field_ = nullptr;
  bool inside_map_ = false;  // members are the map's values
};

// Errors of all: bad_request.
Result<json::Object> merge_objects(const Shape& shape, json::Object target,
                                   const json::Object& patch);
Result<json::Array> merge_lists(const Shape& list, const json::Array& original,
                                const json::Array& patch);
// A value as it is when there is nothing to merge it with.
json::Value without_directives(const json::Value& value);

// Where `item` stands in `list`, by the merge key or, without one, by value; -1: nowhere.
int64_t find_item(const json::Array& list, const json::Value& item, std::string_view merge_key);
// Items named by `order` in that order, the others among them as the server had them.
json::Array order_items(const json::Array& items, const json::Array& order,
                        const json::Array& server, std::string_view merge_key);
// Each item of the patch's list must stand in the order, in the same sequence.
Result<void> check_order(const json::Array& patch, const json::Array& order,
                         std::string_view merge_key);

}  // namespace kinglet::schema
