#include "apiserver/registry.h"

#include "apiserver/errors.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/skim.h"
#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {
constexpr Duration kExpireEvery = std::chrono::minutes(5);
}

Core::Core(store::Store& store, Clock& clock, Random& random, RegistryOptions options)
    : store_(store), clock_(clock), random_(random), options_(std::move(options)) {
  for (auto& [key, hooks] : options_.hooks) hooks->restore(*this);
}

Result<json::Value> Core::get(const schema::Resource& resource, std::string_view ns,
                              std::string_view name) const {
  const auto entry = store_.find(store_key(resource, ns, name));
  if (!entry) return not_found_error(resource, name);
  KL_TRY_FN(object, json::parse(entry->value.view()));
  return convert(std::move(object), stored_form(resource), resource);
}

bool Core::exists(const schema::Resource& resource, std::string_view ns,
                  std::string_view name) const {
  return store_.find(store_key(resource, ns, name)) != nullptr;
}

std::vector<json::Value> Core::list(const schema::Resource& resource, std::string_view ns) const {
  std::vector<json::Value> out;
  for (const auto& entry : store_.list(store_prefix(resource, ns), {}).entries) {
    auto object = json::parse(entry->value.view());
    if (object) out.push_back(convert(std::move(*object), stored_form(resource), resource));
  }
  return out;
}

Result<store::EntryRef> Core::read(const ResourceName& name) const {
  auto entry = store_.find(store_key(*name.resource, name.ns, name.name));
  if (!entry) return not_found_error(*name.resource, name.name);
  return entry;
}

Result<Bytes> Core::present(const schema::Resource& resource, const store::EntryRef& entry) const {
  const auto& stored = stored_form(resource);
  if (&stored == &resource) return entry->value;
  return present_text(resource, stored, entry->value.view());
}

Result<Bytes> Core::present_text(const schema::Resource& requested, const schema::Resource& stored,
                                 std::string_view text) const {
  if (&stored == &requested) return Bytes(text);
  KL_TRY_FN(object, json::parse(text));
  return Bytes(schema::encode(requested, convert(std::move(object), stored, requested)));
}

Result<Written> Core::written(const schema::Resource& requested, store::EntryRef entry,
                              Write& write) const {
  Written out;
  KL_TRY_FN(object, present(requested, entry));
  out.object = std::move(object);
  out.warnings = std::move(write.warnings);
  return out;
}

KindHooks* Core::hooks_of(const schema::Resource& resource) const {
  const auto found = options_.hooks.find(fmt::format("{}/{}", resource.group, resource.plural));
  return found == options_.hooks.end() ? nullptr : found->second.get();
}

WriteContext Core::context(Write& write) const {
  return WriteContext{.resource = write.stored,
                      .operation = write.operation,
                      .user = write.user,
                      .ns = write.name.ns,
                      .name = write.name.name,
                      .subresource = write.name.subresource,
                      .dry_run = write.dry_run,
                      .now = clock_.wall(),
                      .reader = *this,
                      .warnings = write.warnings};
}

Task<Result<void>> Core::check(Write& write, json::Value& object, const json::Value* old) {
  const WriteContext at = context(write);
  KindHooks* hooks = hooks_of(write.stored);
  if (hooks) hooks->prepare(at, object, old);
  for (const auto& plugin : options_.admission) KL_CHECK(co_await plugin->mutate(at, &object, old));
  std::vector<Cause> causes;
  schema::validate_structure(write.stored, object, causes);
  if (hooks) hooks->validate(at, object, old, causes);
  if (!causes.empty()) {
    auto name = json::text_at(object, {"metadata", "name"});
    co_return schema::invalid_error(write.stored.kind, write.stored.group, name, std::move(causes));
  }
  for (const auto& plugin : options_.admission)
    KL_CHECK(co_await plugin->validate(at, &object, old));
  co_return Result<void>();
}

Task<Result<void>> Core::admit_removal(Write& write, const json::Value& old) {
  const WriteContext at = context(write);
  for (const auto& plugin : options_.admission)
    KL_CHECK(co_await plugin->mutate(at, nullptr, &old));
  for (const auto& plugin : options_.admission)
    KL_CHECK(co_await plugin->validate(at, nullptr, &old));
  co_return Result<void>();
}

std::unique_ptr<Registry> make_registry(store::Store& store, Clock& clock, Random& random,
                                        RegistryOptions options) {
  return std::make_unique<Core>(store, clock, random, std::move(options));
}

namespace {

// The last time that an event happened; nothing when it does not say.
std::optional<WallTime> last_seen(std::string_view event) {
  for (const auto path : {"lastTimestamp", "eventTime", "firstTimestamp"}) {
    const auto time = parse_rfc3339(skim_text(event, {path}));
    if (time) return *time;
  }
  const auto created = parse_rfc3339(skim_text(event, {"metadata", "creationTimestamp"}));
  if (created) return *created;
  return std::nullopt;
}

}  // namespace

Task<Result<void>> Core::expire_events() {
  const auto* events = schema::find_resource("", "v1", "events");
  if (!events) co_return Error(Code::internal, "the catalogue has no events");
  for (;;) {
    co_await clock_.sleep(kExpireEvery);
    const auto now = clock_.wall();
    const auto page = store_.list(store_prefix(*events), {});
    for (const auto& entry : page.entries) {
      const auto seen = last_seen(entry->value.view());
      if (seen && now.since_epoch - seen->since_epoch < kEventTtl) continue;
      std::string key = entry->key;
      store::Value last{std::string(entry->value.view())};
      const auto gone = co_await store_.remove(std::move(key), entry->revision, std::move(last));
      (void)gone;  // somebody changed or removed it: the next round sees
    }
  }
}

}  // namespace kinglet::apiserver
