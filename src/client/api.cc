#include "client/api.h"

#include "base/task.h"

namespace kinglet::client {

Task<Result<Bytes>> Api::create(const schema::Resource& resource, std::string ns, std::string object) {
  return create(resource, std::move(ns), std::move(object), WriteOptions(), "", "");
}

Task<Result<Bytes>> Api::update(const schema::Resource& resource, std::string ns, std::string name,
                                std::string object) {
  return update(resource, std::move(ns), std::move(name), std::move(object), WriteOptions(), "");
}

Task<Result<Bytes>> Api::patch(const schema::Resource& resource, std::string ns, std::string name,
                               PatchType type, std::string patch) {
  return this->patch(resource, std::move(ns), std::move(name), type, std::move(patch), WriteOptions(), "");
}

Task<Result<void>> Api::remove(const schema::Resource& resource, std::string ns, std::string name) {
  return remove(resource, std::move(ns), std::move(name), DeleteOptions());
}

}  // namespace kinglet::client
