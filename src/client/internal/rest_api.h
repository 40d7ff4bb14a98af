// An Api as HTTP requests: paths, queries and bodies. Who derives from it carries them.
#pragma once
#include <string>

#include "base/task.h"
#include "client/api.h"

namespace kinglet::client {

class RestApi : public Api {
 public:
  Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns,
                          std::string name) override;
  Task<Result<ObjectList>> list(const schema::Resource& resource, std::string ns,
                                ListOptions options) override;
  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                             WriteOptions options, std::string name,
                             std::string subresource) override;
  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name,
                             std::string object, WriteOptions options,
                             std::string subresource) override;
  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name,
                            PatchType type, std::string patch, WriteOptions options,
                            std::string subresource) override;
  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                            DeleteOptions options) override;

 protected:
  // The body of a 2xx answer; anything else as an Error. `type` is the body's, null: there is none.
  virtual Task<Result<Bytes>> send(const char* method, std::string target, std::string body,
                                   const char* type) = 0;
};

// Path and query of a watch beyond options.revision, with bookmarks.
std::string watch_target(const schema::Resource& resource, const std::string& ns,
                         const ListOptions& options);

}  // namespace kinglet::client
