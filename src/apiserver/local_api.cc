// The API as one user sees it, without HTTP: the same authorisation, admission and Status errors,
// the stored bytes as they are.
#include "apiserver/internal/lister.h"
#include "apiserver/registry.h"
#include "apiserver/user.h"
#include "base/task.h"

namespace kinglet::apiserver {
namespace {

class LocalWatch final : public client::Watch {
 public:
  LocalWatch(const Registry& registry, const schema::Resource& resource,
             std::unique_ptr<Watcher> watcher)
      : registry_(registry), resource_(resource), watcher_(std::move(watcher)) {}

  Task<Result<client::WatchEvent>> next() override {
    KL_TRY(item, co_await watcher_->next());
    client::WatchEvent event{client::WatchEvent::Type::bookmark, {}, item.revision};
    if (item.entry) {
      KL_TRY(object, registry_.present(resource_, item.entry));
      event.object = std::move(object);
      event.type = item.type == WatchItem::Type::added      ? client::WatchEvent::Type::added
                   : item.type == WatchItem::Type::modified ? client::WatchEvent::Type::modified
                                                            : client::WatchEvent::Type::deleted;
    }
    co_return event;
  }

 private:
  const Registry& registry_;
  const schema::Resource& resource_;
  std::unique_ptr<Watcher> watcher_;
};

class LocalApi final : public client::Api {
 public:
  LocalApi(Registry& registry, const Authorizer* authorizer, User user)
      : registry_(registry), authorizer_(authorizer), user_(std::move(user)) {}

  Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns,
                          std::string name) override {
    KL_CHECK(allowed("get", resource, ns, name, ""));
    KL_CHECK(co_await registry_.store().barrier());
    KL_TRY(entry, registry_.read({&resource, ns, name, ""}));
    co_return registry_.present(resource, entry);
  }

  Task<Result<client::ObjectList>> list(const schema::Resource& resource, std::string ns,
                                        client::ListOptions options) override {
    KL_CHECK(allowed("list", resource, ns, "", ""));
    KL_TRY(query, list_query(options, resource));
    KL_TRY(listing, co_await list_entries(registry_.store(), registry_.clock(), resource,
                                          std::move(ns), query));
    client::ObjectList out;
    out.revision = listing.revision;
    out.continue_token = std::move(listing.continue_token);
    out.items.reserve(listing.entries.size());
    for (const auto& entry : listing.entries) {
      KL_TRY(object, registry_.present(resource, entry));
      out.items.push_back(std::move(object));
    }
    co_return std::move(out);
  }

  Task<Result<std::unique_ptr<client::Watch>>> watch(const schema::Resource& resource,
                                                     std::string ns,
                                                     client::ListOptions options) override {
    KL_CHECK(allowed("watch", resource, ns, "", ""));
    KL_TRY(query, list_query(options, resource));
    // "Events beyond options.revision": a revision of 0 is the beginning, which is the list.
    KL_TRY(watcher, co_await Watcher::start(registry_.store(), registry_.clock(), resource,
                                            std::move(ns), std::move(query)));
    co_return std::make_unique<LocalWatch>(registry_, resource, std::move(watcher));
  }

  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                             client::WriteOptions options, std::string name,
                             std::string subresource) override {
    KL_CHECK(allowed("create", resource, ns, name, subresource));
    ResourceName target{&resource, std::move(ns), std::move(name), std::move(subresource)};
    KL_TRY(out, co_await registry_.create(user_, std::move(target), std::move(object),
                                          write_options(options)));
    co_return out.object;
  }

  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name,
                             std::string object, client::WriteOptions options,
                             std::string subresource) override {
    KL_CHECK(allowed("update", resource, ns, name, subresource));
    ResourceName target{&resource, std::move(ns), std::move(name), std::move(subresource)};
    KL_TRY(out, co_await registry_.update(user_, std::move(target), std::move(object),
                                          write_options(options)));
    co_return out.object;
  }

  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name,
                            client::PatchType type, std::string patch, client::WriteOptions options,
                            std::string subresource) override {
    KL_CHECK(allowed("patch", resource, ns, name, subresource));
    PatchOptions patch_options;
    static_cast<CreateOptions&>(patch_options) = write_options(options);
    patch_options.type = type;
    ResourceName target{&resource, std::move(ns), std::move(name), std::move(subresource)};
    KL_TRY(out, co_await registry_.patch(user_, std::move(target), std::move(patch),
                                         std::move(patch_options)));
    co_return out.object;
  }

  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                            client::DeleteOptions options) override {
    KL_CHECK(allowed("delete", resource, ns, name, ""));
    DeleteOptions full;
    static_cast<client::DeleteOptions&>(full) = std::move(options);
    ResourceName target{&resource, std::move(ns), std::move(name), ""};
    KL_CHECK(co_await registry_.remove(user_, std::move(target), std::move(full)));
    co_return Result<void>();
  }

 private:
  // Our own components know their fields: unknown ones are mistakes that tests should see, but not
  // users.
  static CreateOptions write_options(const client::WriteOptions& options) {
    CreateOptions out;
    out.dry_run = options.dry_run;
    out.field_manager = options.field_manager;
    out.validation = FieldValidation::ignore;
    return out;
  }

  Result<void> allowed(const char* verb, const schema::Resource& resource, const std::string& ns,
                       const std::string& name, const std::string& subresource) const {
    if (!authorizer_) return {};
    Attributes attributes;
    attributes.verb = verb;
    attributes.group = resource.group;
    attributes.version = resource.version;
    attributes.resource = resource.plural;
    attributes.subresource = subresource;
    attributes.ns = resource.plural == "namespaces" && resource.group.empty() ? name : ns;
    attributes.name = name;
    const auto decision = authorizer_->authorize(user_, attributes);
    if (decision.allowed) return {};
    return forbidden(user_, attributes, decision.reason);
  }

  Registry& registry_;
  const Authorizer* authorizer_;
  User user_;
};

}  // namespace

std::unique_ptr<client::Api> make_local_api(Registry& registry, const Authorizer* authorizer,
                                            User user) {
  return std::make_unique<LocalApi>(registry, authorizer, std::move(user));
}

}  // namespace kinglet::apiserver
