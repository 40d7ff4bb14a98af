// What the registry must know about a kind before any hook runs. One row per kind that differs from
// the rule.
#pragma once
#include <span>
#include <string_view>

#include "schema/types.h"
#include "store/store.h"

namespace kinglet::apiserver {

struct Traits {
  std::string_view group, plural;
  bool create_on_update = false;       // PUT of a missing object creates it
  bool delete_returns_object = false;  // instead of a Status
  bool generation = false;             // metadata.generation counts changes of the spec
  bool needs_revision = false;         // PUT without resourceVersion is refused
  bool keeps_status_on_create = false;
  store::Durability durability = store::Durability::durable;
  // Beyond metadata.name and metadata.namespace; dotted paths into the stored form.
  std::span<const std::string_view> fields = {};
};
// The row of a kind, or the rule for all others.
const Traits& traits_of(std::string_view group, std::string_view plural);

// The resource in whose form an object is stored: the same kind of another version or group
// (events, autoscalers).
const schema::Resource& stored_form(const schema::Resource& resource);

}  // namespace kinglet::apiserver
