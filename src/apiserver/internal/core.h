// The registry's implementation: one generic path for every kind. Its verbs are in create.cc,
// update.cc, patch.cc, delete.cc and subresources.cc; registry.cc has reading and construction.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "apiserver/internal/traits.h"
#include "apiserver/registry.h"

namespace kinglet::apiserver {

// Attempts of a write that somebody else keeps overtaking, and of a generated name that is taken.
constexpr int kWriteAttemptsMax = 5;
constexpr int kNameAttemptsMax = 8;

// From the current object (in the requested version) to the wanted one, decoded; called again when
// overtaken. An object without resourceVersion is written over whatever is there.
using Change = std::function<Result<json::Value>(const json::Value& current,
                                                 std::vector<std::string>& warnings)>;

class Core final : public Registry {
 public:
  Core(store::Store& store, Clock& clock, Random& random, RegistryOptions options);

  Result<json::Value> get(const schema::Resource& resource, std::string_view ns,
                          std::string_view name) const override;
  bool exists(const schema::Resource& resource, std::string_view ns,
              std::string_view name) const override;
  std::vector<json::Value> list(const schema::Resource& resource,
                                std::string_view ns) const override;

  Result<store::EntryRef> read(const ResourceName& name) const override;
  Task<Result<Written>> create(const User& user, ResourceName name, std::string body_json,
                               CreateOptions options) override;
  Task<Result<Written>> update(const User& user, ResourceName name, std::string body_json,
                               UpdateOptions options) override;
  Task<Result<Written>> patch(const User& user, ResourceName name, std::string patch,
                              PatchOptions options) override;
  Task<Result<Written>> remove(const User& user, ResourceName name, DeleteOptions options) override;
  store::Store& store() override { return store_; }
  Clock& clock() override { return clock_; }
  Result<Bytes> present(const schema::Resource& resource,
                        const store::EntryRef& entry) const override;
  Task<Result<void>> expire_events() override;

 private:
  // One write on its way: what hooks and admission plugins look at.
  struct Write {
    const schema::Resource& stored;
    const User& user;
    ResourceName name;
    Operation operation;
    bool dry_run;
    std::vector<std::string> warnings;
  };

  // A decoded object of the requested version becomes a new entry.
  Task<Result<Written>> insert(const User& user, ResourceName name, json::Value object,
                               CreateOptions options, std::vector<std::string> warnings);
  // Reads, changes, checks and writes until nobody interferes. Errors: not_found and the Status of
  // the failed check.
  Task<Result<Written>> change(const User& user, ResourceName name, const Change& change,
                               bool dry_run);
  // One attempt. nullopt: overtaken, and the change may be tried again.
  Task<Result<std::optional<Written>>> change_once(Write& write, const Change& change,
                                                   store::EntryRef entry, bool last_attempt);
  // Subresources (subresources.cc).
  Task<Result<Written>> create_sub(const User& user, ResourceName name, std::string body,
                                   CreateOptions options);
  Task<Result<Written>> bind(const User& user, ResourceName name, std::string body,
                             CreateOptions options);
  Task<Result<Written>> evict(const User& user, ResourceName name, std::string body,
                              CreateOptions options);
  Task<Result<void>> take_disruption(const User& user, const ResourceName& pod_name,
                                     const json::Value& pod, bool dry_run);
  // The scale subresource: a Scale changes the object's replicas and comes back as a Scale.
  Task<Result<Written>> change_scale(const User& user, ResourceName name,
                                     const Change& scale_change, bool dry_run);

  // prepare, admission, validation. `old`: null on create.
  Task<Result<void>> check(Write& write, json::Value& object, const json::Value* old);
  Task<Result<void>> admit_removal(Write& write, const json::Value& old);
  WriteContext context(Write& write) const;
  KindHooks* hooks_of(const schema::Resource& resource) const;
  Task<Result<Written>> removed(Write& write, store::EntryRef entry, const json::Value& object,
                                store::Value last);
  Result<Written> written(const schema::Resource& requested, store::EntryRef entry,
                          Write& write) const;
  Result<Bytes> present_text(const schema::Resource& requested, const schema::Resource& stored,
                             std::string_view text) const;

  store::Store& store_;
  Clock& clock_;
  Random& random_;
  RegistryOptions options_;
};

// What a write to `subresource` may change: the rest comes from `old`. Errors: not_found (no such
// subresource), method_not_allowed.
Result<json::Value> overlay(const schema::Resource& stored, std::string_view subresource,
                            json::Value object, const json::Value& old);

// Reads a DeleteOptions object (delete_options.cc). Errors: bad_request, invalid.
Result<DeleteOptions> delete_options_of(const json::Value& options);

constexpr std::string_view kScaleType = "autoscaling.v1.Scale";
// autoscaling/v1 Scale of a workload (scale.cc).
Result<json::Value> scale_of(const schema::Resource& resource, const json::Value& object);
bool has_scale(const schema::Resource& resource);
// Converts between the versions and groups that share a stored form (convert.cc).
json::Value convert(json::Value object, const schema::Resource& from, const schema::Resource& to);

}  // namespace kinglet::apiserver
