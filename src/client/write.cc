#include "client/write.h"

#include "base/task.h"

namespace kinglet::client {

Task<Result<Bytes>> create(Api& api, const schema::Resource& resource, const std::string& ns,
                           const json::Value& object) {
  return api.create(resource, ns, json::print(object));
}

Task<Result<Bytes>> create_subresource(Api& api, const schema::Resource& resource, const ObjectKey& key,
                                       const std::string& subresource, const json::Value& object) {
  return api.create(resource, key.ns, json::print(object), WriteOptions(), key.name, subresource);
}

Task<Result<Bytes>> update(Api& api, const schema::Resource& resource, const ObjectKey& key,
                           const json::Value& object, const std::string& subresource) {
  return api.update(resource, key.ns, key.name, json::print(object), WriteOptions(), subresource);
}

Task<Result<Bytes>> merge(Api& api, const schema::Resource& resource, const ObjectKey& key,
                          const json::Value& patch) {
  return api.patch(resource, key.ns, key.name, PatchType::merge, json::print(patch));
}

Task<Result<Bytes>> merge_status(Api& api, const schema::Resource& resource, const ObjectKey& key,
                                 const json::Value& patch) {
  return api.patch(resource, key.ns, key.name, PatchType::merge, json::print(patch), WriteOptions(), "status");
}

Task<Result<Bytes>> get(Api& api, const schema::Resource& resource, const ObjectKey& key) {
  return api.get(resource, key.ns, key.name);
}

Task<Result<void>> remove(Api& api, const schema::Resource& resource, const ObjectKey& key,
                          const std::string& uid, Propagation propagation) {
  DeleteOptions options;
  options.uid = uid;
  options.propagation = propagation;
  return api.remove(resource, key.ns, key.name, options);
}

Task<Result<void>> remove_with(Api& api, const schema::Resource& resource, const ObjectKey& key,
                               const DeleteOptions& options) {
  return api.remove(resource, key.ns, key.name, options);
}

Task<Result<ObjectList>> list(Api& api, const schema::Resource& resource, const std::string& ns) {
  return api.list(resource, ns, ListOptions());
}

Result<void> unless(Code fine, Result<void> result) {
  if (result.is(fine)) return {};
  return result;
}

Result<void> unless(Code fine, const Result<Bytes>& result) {
  if (result || result.is(fine)) return {};
  return result.error();
}

}  // namespace kinglet::client
