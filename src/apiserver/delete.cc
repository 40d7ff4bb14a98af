#include "apiserver/errors.h"
#include "apiserver/internal/body.h"
#include "apiserver/internal/core.h"
#include "apiserver/internal/deletion.h"
#include "apiserver/internal/metadata.h"
#include "json/json.h"

namespace kinglet::apiserver {
namespace {

// {"status":"Success","details":{...}}: the answer for kinds that do not return their last state.
Bytes deleted_status(const schema::Resource& resource, const json::Value& object) {
  auto status = success_status();
  json::Object details;
  details["name"] = json::text_at(object, {"metadata", "name"});
  if (!resource.group.empty()) details["group"] = resource.group;
  details["kind"] = resource.plural;
  details["uid"] = json::text_at(object, {"metadata", "uid"});
  status.get_object()["details"] = std::move(details);
  return Bytes(json::print(status));
}

}  // namespace

Task<Result<Written>> Core::remove(const User& user, ResourceName name, DeleteOptions options) {
  const auto& requested = *name.resource;
  if (!name.subresource.empty() || !requested.has_verb("delete"))
    co_return method_not_supported(requested, "delete");
  const auto& stored = stored_form(requested);
  for (int attempt = 1;; ++attempt) {
    KL_TRY(entry, read(name));
    KL_TRY(old, parse_stored(entry->value.view()));
    KL_CHECK(check_preconditions(requested, old, entry->revision, options));
    Write write{stored, user, name, Operation::remove, options.dry_run, {}};
    KL_CHECK(co_await admit_removal(write, old));

    json::Value object = old;
    const Deletion plan = plan_deletion(stored, object, options, clock_.wall());
    if (plan == Deletion::pending) co_return written(requested, entry, write);
    if (plan == Deletion::mark) {
      store::Value value = stampable(stored, object);
      if (options.dry_run) {
        KL_TRY(bytes, present_text(requested, stored, restamped(value.text, entry->revision)));
        co_return Written{.object = bytes};
      }
      if (same_but_revision(entry->value.view(), value)) co_return written(requested, entry, write);
      std::string key = entry->key;
      auto next = co_await store_.put(std::move(key), std::move(value), entry->revision,
                                      traits_of(stored.group, stored.plural).durability);
      if (next) co_return written(requested, *next, write);
      if (!next.is(Code::conflict) && !next.is(Code::not_found)) co_return std::move(next.error());
    } else {
      auto out = co_await removed(write, entry, old, unstamped(entry->value.view()));
      if (out || (!out.is(Code::conflict) && !out.is(Code::not_found))) co_return std::move(out);
    }
    // Overtaken: the object is read and judged again, preconditions included.
    if (attempt == kWriteAttemptsMax) co_return conflict_error(requested, name.name);
  }
}

Task<Result<Written>> Core::removed(Write& write, store::EntryRef entry, const json::Value& object,
                                    store::Value last) {
  const auto& requested = *write.name.resource;
  KindHooks* hooks = hooks_of(write.stored);
  Written out;
  out.gone = true;
  out.warnings = std::move(write.warnings);
  const bool whole = write.operation != Operation::remove ||
                     traits_of(write.stored.group, write.stored.plural).delete_returns_object ||
                     (hooks && hooks->delete_returns_object());
  const std::string text = last.text;
  const size_t stamp_at = last.stamp_at;
  store::Revision revision = entry->revision;
  if (!write.dry_run) {
    std::string key = entry->key;
    KL_TRY(gone, co_await store_.remove(std::move(key), entry->revision, std::move(last)));
    revision = gone;
    if (hooks) hooks->release(object, nullptr);
  }
  if (!whole) {
    out.object = deleted_status(requested, object);
    co_return std::move(out);
  }
  const std::string stamped =
      stamp_at == std::string::npos
          ? text
          : text.substr(0, stamp_at) + std::to_string(revision) + text.substr(stamp_at);
  KL_TRY(bytes, present_text(requested, write.stored, stamped));
  out.object = bytes;
  co_return std::move(out);
}

}  // namespace kinglet::apiserver
