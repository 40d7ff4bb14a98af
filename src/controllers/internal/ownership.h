// Who owns whom: a controller owns what names it as controller; it adopts orphans that its selector matches and lets
// go of what no longer matches.
#pragma once
#include <vector>

#include "client/api.h"
#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

struct Claims {
  std::vector<Ref<const Object>> owned;    // already ours, and matching
  std::vector<Ref<const Object>> adopt;    // matching orphans
  std::vector<Ref<const Object>> release;  // ours, but no longer matching
};
// `candidates` in key order: objects that `owner` controls, and orphans of its namespace. An owner that is being
// deleted adopts nothing; neither is anything adopted that is being deleted.
Claims plan_claims(const Meta& owner, const schema::Selector& selector, const std::vector<Ref<const Object>>& candidates);

// The merge patches for both; they fail with a conflict on an object made anew under the name.
json::Value adoption_patch(const Meta& object, const client::OwnerRef& owner);
json::Value release_patch(const Meta& object, const std::string& owner_uid);

// Executes adoptions and releases. Before the first adoption it asks the API whether `owner` still exists and is not
// being deleted: the cache may be behind. An object that is gone meanwhile is no error.
// The references outlive the task.
Task<Result<void>> execute_claims(client::Api& api, const schema::Resource& owner_resource, const Meta& owner,
                                  const schema::Resource& resource, const Claims& claims);

}  // namespace kinglet::controllers
