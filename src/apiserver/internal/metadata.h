// What the server does to metadata on each write. Pure functions on decoded objects in stored form.
#pragma once
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "json/json.h"
#include "schema/types.h"
#include "store/store.h"

namespace kinglet::apiserver {

json::Object& metadata_of(json::Value& object);

// Name and namespace of the body against those of the URL; fills the missing ones. `name` is empty
// on create. Errors: bad_request.
Result<void> match_url(const schema::Resource& resource, std::string_view ns, std::string_view name,
                       json::Value& object);

// A new object: uid and creation time; what only the server may set is dropped.
// Errors: internal (resourceVersion is set), as upstream.
Result<void> begin_metadata(json::Value& object, bool generation, WallTime now, Random& random);

// `prefix` cut so that the whole fits a label, and five random characters.
std::string generated_name(std::string_view prefix, Random& random);

// An update: what clients cannot change is taken from `old`. Errors: conflict (uid), invalid (new
// finalizers while deleting).
Result<void> carry_metadata(const schema::Resource& resource, json::Value& object,
                            const json::Value& old);

// Canonical text with the place where the store writes the revision.
store::Value stampable(const schema::Resource& stored, json::Value& object);
// Stored text as it would be written again.
store::Value unstamped(std::string_view text);
// Stored text with another revision.
std::string restamped(std::string_view text, store::Revision revision);
// Whether writing `next` would change nothing but the revision.
bool same_but_revision(std::string_view stored, const store::Value& next);
// Whether anything but metadata and status differs.
bool spec_differs(std::string_view stored, std::string_view next);

}  // namespace kinglet::apiserver
