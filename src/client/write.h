// The writes that controllers make, without spelling out every option. Plain functions that return the Api's task:
// g++ 12 miscompiles some temporaries (options, strings) inside a co_await expression, here there are none.
#pragma once
#include "base/task_fwd.h"
#include "client/api.h"
#include "client/object.h"
#include "json/json.h"

namespace kinglet::client {

Task<Result<Bytes>> create(Api& api, const schema::Resource& resource, const std::string& ns, const json::Value& object);
Task<Result<Bytes>> create_subresource(Api& api, const schema::Resource& resource, const ObjectKey& key,
                                       const std::string& subresource, const json::Value& object);
// A full replacement; guarded by the resourceVersion inside `object`, if it has one.
Task<Result<Bytes>> update(Api& api, const schema::Resource& resource, const ObjectKey& key, const json::Value& object,
                           const std::string& subresource = "");
// RFC 7386. A metadata.uid inside guards against an object made anew under the same name (conflict).
Task<Result<Bytes>> merge(Api& api, const schema::Resource& resource, const ObjectKey& key, const json::Value& patch);
Task<Result<Bytes>> merge_status(Api& api, const schema::Resource& resource, const ObjectKey& key,
                                 const json::Value& patch);
Task<Result<Bytes>> get(Api& api, const schema::Resource& resource, const ObjectKey& key);
// With the uid as precondition when it is given.
Task<Result<void>> remove(Api& api, const schema::Resource& resource, const ObjectKey& key, const std::string& uid = "",
                          Propagation propagation = Propagation::unset);
Task<Result<void>> remove_with(Api& api, const schema::Resource& resource, const ObjectKey& key,
                               const DeleteOptions& options);
Task<Result<ObjectList>> list(Api& api, const schema::Resource& resource, const std::string& ns);

// "Already there" or "already gone" is what the caller wanted.
Result<void> unless(Code fine, Result<void> result);
Result<void> unless(Code fine, const Result<Bytes>& result);

}  // namespace kinglet::client
