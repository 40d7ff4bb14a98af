#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/deletion.h"
#include "apiserver/internal/metadata.h"
#include "schema/causes.h"
#include "schema/codec.h"

namespace kinglet::apiserver {
namespace {

Error revision_required(const schema::Resource& resource, std::string_view name) {
  schema::Causes causes;
  schema::add_invalid(causes, schema::Path("metadata").child("resourceVersion"), json::Value(0),
                      "must be specified for an update");
  return schema::invalid_error(resource.kind, resource.group, name, std::move(causes));
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Error bad_revision(const schema::Resource& resource, std::string_view name, std::string_view text) {
  schema::Causes causes;
  schema::add_invalid(
      causes, schema::Path("metadata").child("resourceVersion"), json::Value(text),
      fmt::format("strconv.ParseUint: parsing {}: invalid syntax", json::print(json::Value(text))));
  return schema::invalid_error(resource.kind, resource.group, name, std::move(causes));
}

// The revision that the writer has seen; nullopt: any.
Result<std::optional<store::Revision>> expected_revision(const schema::Resource& resource,
                                                         const json::Value& object) {
  const auto text = json::text_at(object, {"metadata", "resourceVersion"});
  const auto name = json::text_at(object, {"metadata", "name"});
  if (text.empty() || text == "0") return std::optional<store::Revision>();
  if (!is_number(text) || text.size() > 19) return bad_revision(resource, name, text);
  return std::optional<store::Revision>(std::stoull(std::string(text)));
}

}  // namespace

Task<Result<Written>> Core::update(const User& user, ResourceName name, std::string body,
                                   UpdateOptions options) {
  if (name.subresource == "scale") {
    KL_TRY(scale, parse_kind(body, "autoscaling/v1", "Scale", kScaleType));
    const Change replace = [scale = std::move(scale)](const json::Value&,
                                                      std::vector<std::string>&) {
      return Result<json::Value>(scale);
    };
    co_return co_await change_scale(user, std::move(name), replace, options.dry_run);
  }
  if (name.subresource.empty() && !name.resource->has_verb("update"))
    co_return method_not_supported(*name.resource, "update");
  std::vector<std::string> warnings;
  KL_TRY(object,
         decode_body(*name.resource, body, options.duplicates, {options.validation, warnings}));
  KL_CHECK(match_url(*name.resource, name.ns, name.name, object));
  const auto& stored = stored_form(*name.resource);
  const auto& traits = traits_of(stored.group, stored.plural);
  if (name.subresource.empty() && traits.create_on_update && !exists(stored, name.ns, name.name)) {
    metadata_of(object).erase("resourceVersion");  // of an object that has gone since
    co_return co_await insert(user, std::move(name), std::move(object), std::move(options),
                              std::move(warnings));
  }
  if (name.subresource.empty() && traits.needs_revision &&
      json::text_at(object, {"metadata", "resourceVersion"}).empty()) {
    KL_CHECK(read(name));
    co_return revision_required(*name.resource, name.name);
  }
  const Change replace = [&](const json::Value&, std::vector<std::string>&) {
    return Result<json::Value>(object);
  };
  auto out = co_await change(user, std::move(name), replace, options.dry_run);
  if (out) out->warnings.insert(out->warnings.begin(), warnings.begin(), warnings.end());
  co_return std::move(out);
}

Task<Result<Written>> Core::change(const User& user, ResourceName name, const Change& change,
                                   bool dry_run) {
  const auto& stored = stored_form(*name.resource);
  for (int attempt = 1;; ++attempt) {
    KL_TRY(entry, read(name));
    Write write{stored, user, name, Operation::update, dry_run, {}};
    KL_TRY(out, co_await change_once(write, change, entry, attempt == kWriteAttemptsMax));
    if (out) co_return std::move(*out);
  }
}

Task<Result<std::optional<Written>>> Core::change_once(Write& write, const Change& change,
                                                       store::EntryRef entry, bool last_attempt) {
  const auto& requested = *write.name.resource;
  const auto& stored = write.stored;
  KL_TRY(old, parse_stored(entry->value.view()));
  const json::Value shown = convert(old, stored, requested);
  KL_TRY(wanted, change(shown, write.warnings));
  KL_CHECK(match_url(requested, write.name.ns, write.name.name, wanted));
  KL_TRY(expected, expected_revision(requested, wanted));
  if (expected && *expected != entry->revision)
    co_return conflict_error(requested, write.name.name);
  json::Value full = convert(std::move(wanted), requested, stored);
  KL_TRY(object, overlay(stored, write.name.subresource, std::move(full), old));
  KL_CHECK(carry_metadata(stored, object, old));
  KL_CHECK(co_await check(write, object, &old));

  store::Value value = stampable(stored, object);
  if (same_but_revision(entry->value.view(), value)) {
    KL_TRY(out, written(requested, entry, write));
    co_return std::optional<Written>(std::move(out));
  }
  const auto& traits = traits_of(stored.group, stored.plural);
  if (traits.generation && spec_differs(entry->value.view(), value.text)) {
    metadata_of(object)["generation"] = json::int_at(old, {"metadata", "generation"}) + 1;
    value = stampable(stored, object);
  }
  if (write.dry_run) {
    const std::string text = restamped(value.text, entry->revision);
    KL_TRY(bytes, present_text(requested, stored, text));
    co_return std::optional<Written>(
        Written{.object = bytes, .warnings = std::move(write.warnings)});
  }
  if (deletion_complete(stored, object)) {
    auto out = co_await removed(write, entry, object, std::move(value));
    if (out.is(Code::conflict) && !expected && !last_attempt) co_return std::optional<Written>();
    if (!out) co_return std::move(out.error());
    co_return std::optional<Written>(std::move(*out));
  }

  KindHooks* hooks = hooks_of(stored);
  if (hooks) {
    KL_CHECK(hooks->allocate(context(write), object, &old));
    value = stampable(stored, object);
  }
  std::string key = entry->key;
  auto next =
      co_await store_.put(std::move(key), std::move(value), entry->revision, traits.durability);
  if (!next) {
    if (hooks) hooks->release(object, &old);
    if (next.is(Code::not_found)) co_return not_found_error(requested, write.name.name);
    if (!next.is(Code::conflict)) co_return std::move(next.error());
    if (expected || last_attempt) co_return conflict_error(requested, write.name.name);
    co_return std::optional<Written>();
  }
  if (hooks) hooks->release(old, &object);
  KL_TRY(out, written(requested, *next, write));
  co_return std::optional<Written>(std::move(out));
}

}  // namespace kinglet::apiserver
