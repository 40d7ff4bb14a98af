// Words for writing validation rules: reading members of an object, and the checks that many kinds
// share. Messages are upstream's (k8s.io/kubernetes pkg/apis/*/validation).
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include "json/json.h"
#include "schema/causes.h"

namespace kinglet::apiserver {

using schema::Causes;
using schema::Path;

// The member `name`; a null value when there is none.
const json::Value& at(const json::Value& object, std::string_view name);
const json::Value& at(const json::Value& object, std::initializer_list<std::string_view> path);
const json::Array& items(const json::Value& object, std::string_view name);
std::string_view text(const json::Value& object, std::string_view name);
int64_t number(const json::Value& object, std::string_view name, int64_t otherwise = 0);
inline bool given(const json::Value& value) { return !value.is_null(); }
// Null, "", [], {} and 0 are all empty.
bool is_empty(const json::Value& value);

// Equality to which null and missing members, and empty lists and maps, are the same.
bool equal(const json::Value& a, const json::Value& b);

void check_immutable(Causes& causes, const Path& path, const json::Value& now,
                     const json::Value& old);
void check_not_negative(Causes& causes, const Path& path, const json::Value& value);
void check_not_negative(Causes& causes, const Path& parent, const json::Value& object,
                        std::initializer_list<std::string_view> members);
void check_range(Causes& causes, const Path& path, const json::Value& value, int64_t low,
                 int64_t high);
// A required text that keeps to a syntax.
void check_name(Causes& causes, const Path& path, const json::Value& value,
                std::vector<std::string> (*rule)(std::string_view));
// Present and one of the set; empty is `required`.
void check_one_of(Causes& causes, const Path& path, const json::Value& value,
                  std::initializer_list<std::string_view> set);
void check_port(Causes& causes, const Path& path, const json::Value& port);  // number
// A port number or the name of a port.
void check_port_or_name(Causes& causes, const Path& path, const json::Value& port);
// Lists of objects whose member `key` may not repeat.
void check_unique(Causes& causes, const Path& list, const json::Array& values,
                  std::string_view key);

// A LabelSelector object.
void check_selector(Causes& causes, const Path& path, const json::Value& selector);
// A quantity that is not negative.
void check_quantity(Causes& causes, const Path& path, const json::Value& quantity);
// An int-or-string of a number >= 0 or "N%".
void check_number_or_percent(Causes& causes, const Path& path, const json::Value& value);
bool is_percent_over_100(const json::Value& value);

void check_ip(Causes& causes, const Path& path, const json::Value& value);
void check_cidr(Causes& causes, const Path& path, const json::Value& value);

}  // namespace kinglet::apiserver
