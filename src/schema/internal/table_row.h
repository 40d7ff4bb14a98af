// A Table row under construction: cells are appended in the order of the resource's columns.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include "json/json.h"

namespace kinglet::schema {

constexpr std::string_view kNone = "<none>";
constexpr std::string_view kUnset = "<unset>";
constexpr std::string_view kUnknown = "<unknown>";
constexpr size_t kListedItemsMax = 3;  // longer lists end in " + N more..."

using JsonPath = std::initializer_list<std::string_view>;

class TableRow {
 public:
  TableRow(const json::Value& object, int64_t now_seconds) : object_(object), now_(now_seconds) {}

  const json::Value& object() const { return object_; }
  int64_t now() const { return now_; }

  void add(json::Value cell) { cells_.push_back(std::move(cell)); }
  void text(JsonPath path, std::string_view otherwise = {});
  void integer(JsonPath path);                                         // a number cell
  void integer_text(JsonPath path, std::string_view otherwise = "0");  // the number as text
  void boolean(JsonPath path, bool otherwise = false);
  void count(JsonPath path);  // how many members or items
  void count_text(JsonPath path);
  void age();  // since metadata.creationTimestamp
  void age_of(JsonPath path, std::string_view otherwise);
  void containers(JsonPath pod_spec);  // two cells: names, images
  void label_selector(JsonPath path);  // a LabelSelector object
  void label_map(JsonPath path);       // k=v,k=v
  void items(JsonPath path, std::string_view separator, std::string_view otherwise);

  void append_to_name(std::string_view suffix);  // the first cell

  json::Array take() { return std::move(cells_); }

 private:
  const json::Value& object_;
  int64_t now_;
  json::Array cells_;
};

// The array at `path`; empty when there is none.
const json::Array& array_at(const json::Value& root, JsonPath path);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
// At most `listed` parts, then " + N more...".
std::string join_some(const std::vector<std::string>& parts, std::string_view separator,
                      size_t listed);
std::string member_text(const json::Value& value);  // a scalar as text
bool condition_is(const json::Value& object, std::string_view type, std::string_view status);
const json::Value* find_condition(const json::Value& object, std::string_view type);
// An RFC 3339 time relative to `now`, or `otherwise`.
std::string age_text(std::string_view time, int64_t now, std::string_view otherwise = kUnknown);
int64_t seconds_of(std::string_view time);  // since 1970; 0 when it is no time

// The cells behind the name, per group of kinds. False: the kind is not theirs.
bool workload_cells(std::string_view group, std::string_view plural, TableRow& row);
bool network_cells(std::string_view group, std::string_view plural, TableRow& row);
bool storage_cells(std::string_view group, std::string_view plural, TableRow& row);
bool policy_cells(std::string_view group, std::string_view plural, TableRow& row);
bool cluster_cells(std::string_view group, std::string_view plural, TableRow& row);
void pod_cells(TableRow& row);
void autoscaler_cells(TableRow& row);

}  // namespace kinglet::schema
