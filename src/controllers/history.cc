#include "controllers/internal/history.h"

#include "base/task.h"
#include "client/write.h"
#include "controllers/internal/deployment.h"

namespace kinglet::controllers {

const schema::Resource& Revision::resource() {
  static const auto& found = client::resource("apps", "v1", "controllerrevisions");
  return found;
}

std::shared_ptr<Revision> Revision::decode(const json::Value& object) {
  auto revision = std::make_shared<Revision>();
  revision->number = json::int_at(object, {"revision"});
  return revision;
}

const std::string& Revision::hash() const {
  static const std::string kNone;
  const auto* label = meta.label(kRevisionHash);
  return label ? *label : kNone;
}

json::Value revision_data(const json::Value& template_json) {
  json::Value pods = template_json;
  if (pods.is_object()) pods.get_object()["$patch"] = "replace";
  return json::Object{{"spec", json::Object{{"template", std::move(pods)}}}};
}

json::Value template_in(const Revision& revision) {
  const auto object = whole(revision);
  const auto* found = json::find(object, {"data", "spec", "template"});
  json::Value out = found ? *found : json::Value(json::Object{});
  if (out.is_object()) out.get_object().erase("$patch");
  return out;
}

void sort_revisions(Revisions& revisions) {
  std::sort(revisions.begin(), revisions.end(), [](const auto& a, const auto& b) {
    return std::tie(a->number, a->meta.created, a->meta.name) < std::tie(b->number, b->meta.created, b->meta.name);
  });
}

RevisionPlan plan_revision(const Revisions& revisions, const json::Value& template_json, std::optional<int> collisions) {
  RevisionPlan plan;
  plan.hash = template_hash(template_json, collisions);
  if (!revisions.empty()) plan.number = revisions.back()->number + 1;
  // The hash tells nearly always; the rest of the history is parsed only when it does not.
  const auto has_template = [&](const Ref<const Revision>& revision) { return template_in(*revision) == template_json; };
  for (const bool by_hash : {true, false}) {
    for (auto at = revisions.rbegin(); at != revisions.rend(); ++at) {
      if (((*at)->hash() == plan.hash) != by_hash || !has_template(*at)) continue;
      plan.same = *at;
      plan.renumber = *at != revisions.back();
      return plan;
    }
  }
  return plan;
}

Revisions surplus_revisions(Revisions revisions, const std::vector<std::string>& live, int limit) {
  const auto used = [&](const auto& revision) {
    return std::find(live.begin(), live.end(), revision->hash()) != live.end() ||
           std::find(live.begin(), live.end(), revision->meta.name) != live.end();
  };
  std::erase_if(revisions, [&](const auto& revision) { return used(revision) || revision->meta.deleted; });
  const size_t surplus = revisions.size() - std::min(revisions.size(), static_cast<size_t>(std::max(0, limit)));
  revisions.resize(surplus);
  return revisions;
}

namespace {
Ref<const Revision> revision_from(const json::Value& object, const Bytes& bytes) {
  auto revision = Revision::decode(object);
  revision->meta = client::decode_meta(object);
  revision->raw = bytes;
  return revision;
}

json::Value revision_object(const schema::Resource& owner_resource, const Object& owner, const json::Value& template_json,
                            const RevisionPlan& plan) {
  json::Object meta = {{"name", owner.meta.name + "-" + plan.hash}, {"namespace", owner.meta.ns}};
  if (const auto* labels = json::find(template_json, {"metadata", "labels"})) meta["labels"] = *labels;
  json::child(meta, "labels")[kRevisionHash] = plan.hash;
  if (!owner.meta.annotations.empty()) meta["annotations"] = client::object_of(owner.meta.annotations);
  meta["ownerReferences"] = json::Array{client::to_json(client::controller_ref(owner_resource, owner.meta))};
  return json::Object{{"apiVersion", "apps/v1"},
                      {"kind", "ControllerRevision"},
                      {"metadata", std::move(meta)},
                      {"data", revision_data(template_json)},
                      {"revision", plan.number}};
}
}  // namespace

Task<Result<CurrentRevision>> ensure_revision(client::Api& api, const schema::Resource& owner_resource, const Object& owner,
                                              const Revisions& revisions, const json::Value& template_json,
                                              std::optional<int> collisions) {
  const auto plan = plan_revision(revisions, template_json, collisions);
  CurrentRevision current{plan.same, collisions};
  if (plan.same && !plan.renumber) co_return current;
  if (plan.same) {
    const json::Value patch = json::Object{{"revision", plan.number}};
    const auto key = plan.same->meta.key();
    KL_TRY(bytes, co_await client::merge(api, Revision::resource(), key, patch), "renumber {}", key.text());
    KL_TRY(object, json::parse(bytes.view()));
    current.revision = revision_from(object, bytes);
    co_return current;
  }
  const auto wanted = revision_object(owner_resource, owner, template_json, plan);
  const ObjectKey key{owner.meta.ns, owner.meta.name + "-" + plan.hash};
  auto made = co_await client::create(api, Revision::resource(), key.ns, wanted);
  const bool taken = made.is(Code::already_exists);
  if (taken) made = co_await client::get(api, Revision::resource(), key);
  if (!made) co_return made.error();
  KL_TRY(object, json::parse(made->view()));
  auto found = revision_from(object, *made);
  const auto* holder = found->meta.controller();
  if (taken && (!holder || holder->uid != owner.meta.uid || template_in(*found) != template_json)) {
    current.collisions = collisions.value_or(0) + 1;  // the next attempt takes another hash
    co_return current;
  }
  current.revision = std::move(found);
  co_return current;
}

Task<Result<void>> remove_revisions(client::Api& api, const Revisions& revisions) {
  for (const auto& revision : revisions) {
    const auto key = revision->meta.key();
    const auto removed = co_await client::remove(api, Revision::resource(), key, revision->meta.uid);
    KL_CHECK(client::unless(Code::not_found, removed), "clean up {}", key.text());
  }
  co_return Result<void>();
}

}  // namespace kinglet::controllers
