// What every cached object has: its metadata, decoded, and its bytes.
//
// Deciders read small structs made for what they decide (`Pod`, `Node` here, the rest in their modules) instead of the
// whole generated types: a cache of them costs a tenth of the memory, and `raw` shares the store's bytes when the API
// is in the same process, so whatever else is needed can still be parsed from it.
#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "json/json.h"
#include "schema/types.h"
#include "schema/values.h"

namespace kinglet::client {

// Counted, immutable when T is const.
template <class T>
using Ref = std::shared_ptr<T>;

struct ObjectKey {
  std::string ns, name;
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

using StringPairs = std::vector<std::pair<std::string, std::string>>;  // sorted by key
const std::string* find_pair(const StringPairs& pairs, std::string_view key);
StringPairs pairs_of(const json::Value* object);  // string members only
json::Object object_of(const StringPairs& pairs);

struct OwnerRef {
  std::string api_version, kind, name, uid;
  bool controller = false;
  bool block_owner_deletion = false;
  bool operator==(const OwnerRef&) const = default;
};
json::Value to_json(const OwnerRef& owner);

struct Meta {
  std::string ns, name, uid;
  uint64_t revision = 0;
  int64_t generation = 0;
  WallTime created{};
  std::optional<WallTime> deleted;
  std::optional<int64_t> deletion_grace_seconds;
  StringPairs labels;
  StringPairs annotations;  // without kubectl's last-applied-configuration, which is big and nobody decides by it
  std::vector<OwnerRef> owners;
  std::vector<std::string> finalizers;

  ObjectKey key() const { return {ns, name}; }
  const std::string* label(std::string_view key) const { return find_pair(labels, key); }
  const std::string* annotation(std::string_view key) const { return find_pair(annotations, key); }
  const OwnerRef* controller() const;  // the one owner with controller=true, or null
  bool has_finalizer(std::string_view finalizer) const;
};
Meta decode_meta(const json::Value& object);
extern const char kLastAppliedAnnotation[];

struct Object {
  Meta meta;
  Bytes raw;
  virtual ~Object() = default;
};

bool matches(const schema::Selector& selector, const StringPairs& labels);

// What events and target references name.
struct ObjectReference {
  std::string api_version, kind, ns, name, uid, field_path;
  uint64_t revision = 0;
};
ObjectReference reference_to(const schema::Resource& resource, const Meta& meta);
// The owner reference of a controller to its `meta`: controller and blockOwnerDeletion set.
OwnerRef controller_ref(const schema::Resource& resource, const Meta& meta);

// A row of the built-in catalogue; a missing one is our own mistake.
const schema::Resource& resource(std::string_view group, std::string_view version,
                                 std::string_view plural);

// "metadata.resourceVersion" of an object, 0 when it has none.
uint64_t revision_of(const json::Value& object);

}  // namespace kinglet::client
