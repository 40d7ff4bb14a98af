#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/metadata.h"
#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

Error name_required(const schema::Resource& resource) {
  schema::Causes causes;
  schema::add_required(causes, schema::Path("metadata").child("name"),
                       "name or generateName is required");
  return schema::invalid_error(resource.kind, resource.group, "", std::move(causes));
}

Error names_exhausted(const schema::Resource& resource, std::string_view name) {
  auto error = already_exists_error(resource, name);
  error.mutable_details().retry_after_seconds = 1;
  return error;
}

}  // namespace

Task<Result<Written>> Core::create(const User& user, ResourceName name, std::string body,
                                   CreateOptions options) {
  if (!name.subresource.empty() || name.resource->plural == "bindings")
    co_return co_await create_sub(user, std::move(name), std::move(body), std::move(options));
  if (!name.resource->has_verb("create")) co_return method_not_supported(*name.resource, "create");
  std::vector<std::string> warnings;
  KL_TRY(object,
         decode_body(*name.resource, body, options.duplicates, {options.validation, warnings}));
  co_return co_await insert(user, std::move(name), std::move(object), std::move(options),
                            std::move(warnings));
}

Task<Result<Written>> Core::insert(const User& user, ResourceName name, json::Value object,
                                   CreateOptions options, std::vector<std::string> warnings) {
  const auto& requested = *name.resource;
  const auto& stored = stored_form(requested);
  const auto& traits = traits_of(stored.group, stored.plural);
  KL_CHECK(match_url(requested, name.ns, name.name, object));
  object = convert(std::move(object), requested, stored);
  KL_CHECK(begin_metadata(object, traits.generation, clock_.wall(), random_));
  if (stored.subresource("status") && !traits.keeps_status_on_create)
    object.get_object().erase("status");

  const std::string prefix(json::text_at(object, {"metadata", "generateName"}));
  name.name = json::text_at(object, {"metadata", "name"});
  const bool generated = name.name.empty() && !prefix.empty();
  if (generated) {
    name.name = generated_name(prefix, random_);
    metadata_of(object)["name"] = name.name;
  }
  if (name.name.empty()) co_return name_required(stored);

  Write write{stored, user, name, Operation::create, options.dry_run, std::move(warnings)};
  KL_CHECK(co_await check(write, object, nullptr));
  if (options.dry_run) {
    if (exists(stored, name.ns, name.name)) co_return already_exists_error(requested, name.name);
    metadata_of(object).erase("resourceVersion");
    KL_TRY(bytes, present_text(requested, stored, schema::encode(stored, object)));
    co_return Written{.object = bytes, .created = true, .warnings = std::move(write.warnings)};
  }

  KindHooks* hooks = hooks_of(stored);
  if (hooks) KL_CHECK(hooks->allocate(context(write), object, nullptr));
  for (int attempt = 1;; ++attempt) {
    std::string key = store_key(stored, name.ns, write.name.name);
    store::Value value = stampable(stored, object);
    auto entry = co_await store_.put(std::move(key), std::move(value), 0, traits.durability);
    if (entry) {
      KL_TRY(out, written(requested, *entry, write));
      out.created = true;
      co_return std::move(out);
    }
    // Only here is what was allocated given back: a cancelled write may have happened, and the
    // allocators are rebuilt at the next start anyway.
    const bool taken = entry.is(Code::already_exists);
    const bool over = !taken || !generated || attempt == kNameAttemptsMax;
    if (over && hooks) hooks->release(object, nullptr);
    if (!taken) co_return std::move(entry.error());
    if (over) {
      co_return generated ? names_exhausted(requested, write.name.name)
                          : already_exists_error(requested, write.name.name);
    }
    write.name.name = generated_name(prefix, random_);
    metadata_of(object)["name"] = write.name.name;
  }
}

}  // namespace kinglet::apiserver
