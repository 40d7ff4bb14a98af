// The registry: every verb on every kind, over the store. HTTP handlers and the in-process Api both
// end here.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/hooks.h"
#include "apiserver/user.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "client/api.h"
#include "schema/values.h"
#include "store/store.h"

namespace kinglet::apiserver {

struct ResourceName {
  const schema::Resource* resource;
  std::string ns, name, subresource;
};
enum class FieldValidation : uint8_t { ignore, warn, strict };

struct CreateOptions {
  bool dry_run = false;
  FieldValidation validation = FieldValidation::warn;
  std::string field_manager;
  std::vector<std::string> duplicates;  // keys that whoever turned the body into JSON has met twice
};
using UpdateOptions = CreateOptions;
struct PatchOptions : CreateOptions {
  client::PatchType type = client::PatchType::merge;
  bool force = false;
};
struct DeleteOptions : client::DeleteOptions {
  bool dry_run = false;
};
struct Written {
  Bytes object;
  bool created = false;
  bool gone = false;  // delete: the object is no longer there
  std::vector<std::string> warnings;
};

class Registry : public Reader {
 public:
  // Errors of all: the Status that the real server gives.
  virtual Result<store::EntryRef> read(const ResourceName& name) const = 0;
  virtual Task<Result<Written>> create(const User& user, ResourceName name, std::string body_json,
                                       CreateOptions options) = 0;
  virtual Task<Result<Written>> update(const User& user, ResourceName name, std::string body_json,
                                       UpdateOptions options) = 0;
  virtual Task<Result<Written>> patch(const User& user, ResourceName name, std::string patch,
                                      PatchOptions options) = 0;
  virtual Task<Result<Written>> remove(const User& user, ResourceName name,
                                       DeleteOptions options) = 0;
  virtual store::Store& store() = 0;
  virtual Clock& clock() = 0;
  // The object as `resource`'s version shows it: the stored bytes, unless another version or group
  // is stored.
  virtual Result<Bytes> present(const schema::Resource& resource,
                                const store::EntryRef& entry) const = 0;
  // Forgets events an hour after their last occurrence. Runs until cancelled.
  virtual Task<Result<void>> expire_events() = 0;
};
constexpr Duration kEventTtl = std::chrono::hours(1);  // upstream's --event-ttl

struct RegistryOptions {
  std::map<std::string, std::unique_ptr<KindHooks>> hooks;
  std::vector<std::unique_ptr<AdmissionPlugin>> admission;
};
std::unique_ptr<Registry> make_registry(store::Store& store, Clock& clock, Random& random,
                                        RegistryOptions options);

// The store key of an object, and of all objects of a resource (in a namespace):
// "<group>/<plural>/<ns>/<name>", the core group as "core", cluster-scoped objects without "<ns>/".
// Resources that share objects share keys.
std::string store_key(const schema::Resource& resource, std::string_view ns, std::string_view name);
std::string store_prefix(const schema::Resource& resource, std::string_view ns = {});
// The tags of an object, for StoreOptions::indexer: "l:<label>" and "f:<selectable field>".
store::Tags index_tags(std::string_view key, std::string_view value);

// The API as `user` sees it, without HTTP.
std::unique_ptr<client::Api> make_local_api(Registry& registry, const Authorizer* authorizer,
                                            User user);

}  // namespace kinglet::apiserver
