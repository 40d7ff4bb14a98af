#include "controllers/internal/ownership.h"

#include "base/task.h"
#include "client/write.h"

namespace kinglet::controllers {

Claims plan_claims(const Meta& owner, const schema::Selector& selector,
                   const std::vector<Ref<const Object>>& candidates) {
  Claims claims;
  for (const auto& candidate : candidates) {
    const auto* controller = candidate->meta.controller();
    const bool matching = client::matches(selector, candidate->meta.labels);
    if (controller) {
      if (controller->uid != owner.uid) continue;
      // An owner on its way out lets nothing go: the garbage collector decides about its dependents.
      if (matching || owner.deleted)
        claims.owned.push_back(candidate);
      else
        claims.release.push_back(candidate);
    } else if (matching && !owner.deleted && !candidate->meta.deleted) {
      claims.adopt.push_back(candidate);
    }
  }
  return claims;
}

namespace {
json::Value owners_patch(const Meta& object, const std::vector<client::OwnerRef>& owners) {
  json::Array list;
  for (const auto& owner : owners) list.push_back(client::to_json(owner));
  return json::Object{
      {"metadata", json::Object{{"uid", object.uid},
                                {"ownerReferences", list.empty() ? json::Value() : json::Value(std::move(list))}}}};
}
}  // namespace

json::Value adoption_patch(const Meta& object, const client::OwnerRef& owner) {
  auto owners = object.owners;
  std::erase_if(owners, [&](const auto& o) { return o.uid == owner.uid; });
  owners.push_back(owner);
  return owners_patch(object, owners);
}

json::Value release_patch(const Meta& object, const std::string& owner_uid) {
  auto owners = object.owners;
  std::erase_if(owners, [&](const auto& o) { return o.uid == owner_uid; });
  return owners_patch(object, owners);
}

Task<Result<void>> execute_claims(client::Api& api, const schema::Resource& owner_resource, const Meta& owner,
                                  const schema::Resource& resource, const Claims& claims) {
  if (!claims.adopt.empty()) {
    const auto key = owner.key();
    KL_TRY(bytes, co_await client::get(api, owner_resource, key), "adopt for {}", key.text());
    KL_TRY(fresh, json::parse(bytes.view()));
    const auto now = client::decode_meta(fresh);
    if (now.uid != owner.uid || now.deleted) co_return Error(Code::conflict, "{} is going away", key.text());
    const auto ref = client::controller_ref(owner_resource, owner);
    for (const auto& object : claims.adopt) {
      const auto patch = adoption_patch(object->meta, ref);
      const auto object_key = object->meta.key();
      const auto patched = co_await client::merge(api, resource, object_key, patch);
      KL_CHECK(client::unless(Code::not_found, patched), "adopt {}", object->meta.name);
    }
  }
  for (const auto& object : claims.release) {
    const auto patch = release_patch(object->meta, owner.uid);
    const auto object_key = object->meta.key();
    const auto patched = co_await client::merge(api, resource, object_key, patch);
    KL_CHECK(client::unless(Code::not_found, patched), "release {}", object->meta.name);
  }
  co_return Result<void>();
}

}  // namespace kinglet::controllers
