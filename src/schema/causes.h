// Field errors as the real server words them, and the paths they point at.
// Source: k8s.io/apimachinery field.Error and field.Path (http.md section 3 has the forms).
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::schema {

// A path such as `spec.containers[0].ports[1]` as a chain of stack objects: it is rendered only
// when there is an error to report. A Path refers to its parent and its name; both outlive it.
class Path {
 public:
  explicit Path(std::string_view name) : name_(name) {}
  Path child(std::string_view name) const { return Path(this, name, Step::member, 0); }
  Path index(size_t index) const { return Path(this, {}, Step::index, index); }
  Path key(std::string_view key) const { return Path(this, key, Step::key, 0); }
  std::string text() const;

 private:
  enum class Step : uint8_t { member, index, key };
  Path(const Path* parent, std::string_view name, Step step, size_t index)
      : parent_(parent), name_(name), index_(index), step_(step) {}
  void append_to(std::string& out) const;
  const Path* parent_ = nullptr;
  std::string_view name_;
  size_t index_ = 0;
  Step step_ = Step::member;
};

using Causes = std::vector<Cause>;

void add_required(Causes& causes, const Path& path, std::string_view detail = {});
void add_invalid(Causes& causes, const Path& path, const json::Value& value,
                 std::string_view detail);
// One `invalid` for each message.
void add_invalid_each(Causes& causes, const Path& path, const json::Value& value,
                      const std::vector<std::string>& details);
void add_unsupported(Causes& causes, const Path& path, const json::Value& value,
                     std::span<const std::string_view> supported);
void add_unsupported(Causes& causes, const Path& path, const json::Value& value,
                     std::initializer_list<std::string_view> supported);
void add_duplicate(Causes& causes, const Path& path, const json::Value& value);
void add_forbidden(Causes& causes, const Path& path, std::string_view detail);
void add_not_found(Causes& causes, const Path& path, const json::Value& value);
void add_too_long(Causes& causes, const Path& path, size_t bytes_max);
void add_too_many(Causes& causes, const Path& path, size_t count, size_t items_max);

// A value as it stands in a message: strings quoted, numbers and booleans plain, the rest as JSON.
std::string message_value(const json::Value& value);

// The 422 of an object: `Deployment.apps "web" is invalid: spec.replicas: Invalid value: ...`. The
// causes' own messages carry no path, as in a Status.
Error invalid_error(std::string_view kind, std::string_view group, std::string_view name,
                    Causes causes);

}  // namespace kinglet::schema
