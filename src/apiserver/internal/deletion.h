// What a delete does to an object: a pure decision (k8s.io/apiserver registry/rest BeforeDelete and
// the store's Delete).
#pragma once
#include "apiserver/registry.h"
#include "base/clock.h"
#include "json/json.h"
#include "schema/types.h"

namespace kinglet::apiserver {

enum class Deletion : uint8_t {
  pending,  // it is being deleted already; nothing changes
  mark,     // write the changed object: it goes later
  remove,   // it goes now
};
// Changes `object` (stored form) for `mark`.
Deletion plan_deletion(const schema::Resource& resource, json::Value& object,
                       const DeleteOptions& options, WallTime now);

// An object that is being deleted, which nothing keeps any longer: an update that leads here
// removes it.
bool deletion_complete(const schema::Resource& resource, const json::Value& object);

// Errors: conflict.
Result<void> check_preconditions(const schema::Resource& resource, const json::Value& object,
                                 store::Revision revision, const DeleteOptions& options);

}  // namespace kinglet::apiserver
