// FakeApi: the API in memory, for unit tests of those who use client::Api. Keeps the rules that controllers lean on
// (resourceVersions rise, names are unique, generateName, generation, optimistic locking, finalizers and graceful pod
// deletion, owner references untouched, status as a subresource, bindings) and knows nothing of validation, defaults
// or admission: those are the apiserver's.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "client/api.h"
#include "client/object.h"
#include "json/json.h"

namespace kinglet::client::testing {

class FakeApi final : public Api {
 public:
  FakeApi(Clock& clock, Random& random);
  ~FakeApi() override;
  using Api::create, Api::update, Api::patch, Api::remove;

  Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns, std::string name) override;
  Task<Result<ObjectList>> list(const schema::Resource& resource, std::string ns, ListOptions options) override;
  Task<Result<std::unique_ptr<Watch>>> watch(const schema::Resource& resource, std::string ns,
                                             ListOptions options) override;
  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                             WriteOptions options, std::string name, std::string subresource) override;
  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name, std::string object,
                             WriteOptions options, std::string subresource) override;
  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name, PatchType type,
                            std::string patch, WriteOptions options, std::string subresource) override;
  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                            DeleteOptions options) override;

  // Without a loop, for setting up and looking.
  Result<Bytes> put(const schema::Resource& resource, std::string_view yaml_or_json);  // creates or replaces whole
  json::Value read(const schema::Resource& resource, const std::string& ns, const std::string& name) const;  // null: none
  std::vector<json::Value> read_all(const schema::Resource& resource, const std::string& ns = {}) const;
  // Creates or replaces; the whole object, status too.
  Result<Bytes> put(const schema::Resource& resource, json::Value object);
  void erase(const schema::Resource& resource, const std::string& ns, const std::string& name);
  // Ends every watch with this error, as a restarted or compacted server does.
  void break_watches(Code code);
  // Asked before each request ("create", resource, key): an error it returns is the request's.
  using Trouble = std::function<Result<void>(std::string_view verb, const schema::Resource&, const ObjectKey&)>;
  void set_trouble(Trouble trouble) { trouble_ = std::move(trouble); }
  uint64_t revision() const { return revision_; }
  size_t writes() const { return writes_; }

 private:
  struct FakeWatch;
  struct WatchState;
  struct Item {
    json::Value object;
    Bytes bytes;
  };
  using Items = std::map<ObjectKey, Item>;
  struct Past {
    const schema::Resource* resource;
    WatchEvent::Type type;
    Bytes before, object;
    uint64_t revision;
  };

  Items& items(const schema::Resource& resource);
  Result<void> trouble(std::string_view verb, const schema::Resource& resource, const ObjectKey& key) const;
  Bytes store(const schema::Resource& resource, const ObjectKey& key, json::Value object);
  void drop(const schema::Resource& resource, const ObjectKey& key);
  Result<Bytes> bind(const ObjectKey& pod, const json::Value& binding);
  Result<Bytes> replace(const schema::Resource& resource, const ObjectKey& key, json::Value object,
                        const std::string& subresource);
  void tell(Past past);
  Error missing(const schema::Resource& resource, const ObjectKey& key) const;

  Clock& clock_;
  Random& random_;
  std::map<std::string, Items> all_;  // by "<group>/<plural>"
  std::vector<Past> history_;
  std::vector<std::weak_ptr<WatchState>> watches_;
  uint64_t revision_ = 0;
  size_t writes_ = 0;
  Trouble trouble_;
};

// A schema::Selector plus field selector, as list and watch take them. Fields: dotted paths, "=" and "!=".
struct FakeFilter {
  std::string ns;
  schema::Selector labels;
  std::vector<std::tuple<std::string, bool, std::string>> fields;  // path, equal, value
  bool lets_through(const json::Value& object) const;
};

}  // namespace kinglet::client::testing
