#include "client/testing/fake_api.h"

#include <deque>

#include "base/signal.h"
#include "base/task.h"

namespace kinglet::client::testing {
namespace {
std::string place(const schema::Resource& resource) {
  return std::string(resource.group) + "/" + std::string(resource.plural);
}

bool has_finalizers(const json::Value& object) {
  const auto* list = json::find(object, {"metadata", "finalizers"});
  if (list && list->is_array() && !list->get_array().empty()) return true;
  if (json::text_at(object, {"kind"}) != "Namespace") return false;
  const auto* spec = json::find(object, {"spec", "finalizers"});
  return spec && spec->is_array() && !spec->get_array().empty();
}

std::string field_text(const json::Value& object, const std::string& path) {
  const json::Value* at = &object;
  for (size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    at = json::find(*at, {std::string_view(path).substr(begin, end - begin)});
    if (!at) return {};
    begin = end + 1;
  }
  if (at->is_string()) return std::string(at->get_string());
  if (at->is_bool()) return at->get_bool() ? "true" : "false";
  return {};
}

Result<FakeFilter> filter_of(std::string ns, const ListOptions& options) {
  FakeFilter filter{std::move(ns), {}, {}};
  KL_TRY_FN(labels, schema::Selector::parse(options.label_selector));
  filter.labels = labels;
  std::string_view rest = options.field_selector;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto term = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto equals = term.find('=');
    if (equals == std::string_view::npos) return Error(Code::bad_request, "invalid field selector");
    const bool differ = equals > 0 && term[equals - 1] == '!';
    const auto value = term.substr(equals + 1);
    filter.fields.emplace_back(std::string(term.substr(0, differ ? equals - 1 : equals)), !differ,
                               std::string(value.starts_with('=') ? value.substr(1) : value));
  }
  return filter;
}
}  // namespace

bool FakeFilter::lets_through(const json::Value& object) const {
  if (!ns.empty() && json::text_at(object, {"metadata", "namespace"}) != ns) return false;
  for (const auto& [path, equal, value] : fields)
    if ((field_text(object, path) == value) != equal) return false;
  return matches(labels, pairs_of(json::find(object, {"metadata", "labels"})));
}

struct FakeApi::WatchState {
  const schema::Resource* resource;
  FakeFilter filter;
  std::deque<WatchEvent> events;
  std::optional<Error> broken;
  Signal changed;
};

struct FakeApi::FakeWatch final : Watch {
  explicit FakeWatch(std::shared_ptr<WatchState> s) : state(std::move(s)) {}
  Task<Result<WatchEvent>> next() override {
    const auto held = state;
    while (held->events.empty()) {
      if (held->broken) co_return *held->broken;
      co_await held->changed.wait();
    }
    WatchEvent event = std::move(held->events.front());
    held->events.pop_front();
    co_return event;
  }
  std::shared_ptr<WatchState> state;
};

FakeApi::FakeApi(Clock& clock, Random& random) : clock_(clock), random_(random) {}
FakeApi::~FakeApi() = default;

FakeApi::Items& FakeApi::items(const schema::Resource& resource) { return all_[place(resource)]; }

Result<void> FakeApi::trouble(std::string_view verb, const schema::Resource& resource,
                              const ObjectKey& key) const {
  return trouble_ ? trouble_(verb, resource, key) : Result<void>();
}

Error FakeApi::missing(const schema::Resource& resource, const ObjectKey& key) const {
  return Error(Code::not_found, "{} \"{}\" not found", resource.plural, key.name);
}

Task<Result<Bytes>> FakeApi::get(const schema::Resource& resource, std::string ns, std::string name) {
  const ObjectKey key{ns, name};
  KL_CHECK(trouble("get", resource, key));
  const auto at = items(resource).find(key);
  if (at == items(resource).end()) co_return missing(resource, key);
  co_return at->second.bytes;
}

Task<Result<ObjectList>> FakeApi::list(const schema::Resource& resource, std::string ns, ListOptions options) {
  KL_CHECK(trouble("list", resource, ObjectKey{ns, ""}));
  KL_TRY(filter, filter_of(ns, options));
  ObjectList found;
  found.revision = revision_;
  for (const auto& [key, item] : items(resource))
    if (filter.lets_through(item.object)) found.items.push_back(item.bytes);
  co_return found;
}

Task<Result<std::unique_ptr<Watch>>> FakeApi::watch(const schema::Resource& resource, std::string ns,
                                                    ListOptions options) {
  KL_CHECK(trouble("watch", resource, ObjectKey{ns, ""}));
  KL_TRY(filter, filter_of(ns, options));
  auto state = std::make_shared<WatchState>();
  state->resource = &resource;
  state->filter = filter;
  watches_.push_back(state);
  // History is kept whole: a watch from any revision finds what it missed.
  auto others = std::exchange(watches_, {state});
  for (auto past : history_)
    if (past.revision > options.revision) tell(past);
  watches_ = std::move(others);
  co_return std::unique_ptr<Watch>(std::make_unique<FakeWatch>(state));
}

void FakeApi::tell(Past past) {
  const auto value_of = [](const Bytes& bytes) {
    return bytes ? json::parse(bytes.view()).value() : json::Value();
  };
  const auto before = value_of(past.before), after = value_of(past.object);
  for (const auto& weak : watches_) {
    const auto watch = weak.lock();
    if (!watch || watch->broken || place(*watch->resource) != place(*past.resource)) continue;
    const bool was = past.before && watch->filter.lets_through(before);
    const bool is = past.type != WatchEvent::Type::deleted && watch->filter.lets_through(after);
    if (!was && !is) continue;
    const auto type = is && was ? WatchEvent::Type::modified
                      : is      ? WatchEvent::Type::added
                                : WatchEvent::Type::deleted;
    watch->events.push_back({type, past.object, past.revision});
    watch->changed.notify_all();
  }
}

Bytes FakeApi::store(const schema::Resource& resource, const ObjectKey& key, json::Value object) {
  auto& slot = items(resource)[key];
  auto& root = object.as_object();
  root["kind"] = resource.kind;
  root["apiVersion"] = resource.group_version();
  auto& meta = json::child(root, "metadata");
  if (slot.bytes) meta["resourceVersion"] = json::text_at(slot.object, {"metadata", "resourceVersion"});
  if (slot.bytes && slot.object == object) return slot.bytes;  // nothing changes: no new revision
  ++writes_;
  meta["resourceVersion"] = std::to_string(++revision_);
  if (key.ns.empty())
    meta.erase("namespace");
  else
    meta["namespace"] = key.ns;
  const Bytes before = slot.bytes;
  slot.bytes = Bytes(json::print(object));
  slot.object = std::move(object);
  const Bytes after = slot.bytes;
  history_.push_back({&resource, before ? WatchEvent::Type::modified : WatchEvent::Type::added, before,
                      after, revision_});
  tell(history_.back());
  return after;
}

void FakeApi::drop(const schema::Resource& resource, const ObjectKey& key) {
  const auto at = items(resource).find(key);
  if (at == items(resource).end()) return;
  auto item = std::move(at->second);
  items(resource).erase(at);
  ++writes_;
  json::child(item.object.as_object(), "metadata")["resourceVersion"] = std::to_string(++revision_);
  history_.push_back({&resource, WatchEvent::Type::deleted, item.bytes,
                      Bytes(json::print(item.object)), revision_});
  tell(history_.back());
}

Result<Bytes> FakeApi::put(const schema::Resource& resource, std::string_view text) {
  KL_TRY_FN(object, json::parse_yaml(text));
  return put(resource, std::move(object));
}

Result<Bytes> FakeApi::put(const schema::Resource& resource, json::Value object) {
  auto& meta = json::child(object.as_object(), "metadata");
  const ObjectKey key{std::string(json::text_at(object, {"metadata", "namespace"})),
                      std::string(json::text_at(object, {"metadata", "name"}))};
  const auto old = read(resource, key.ns, key.name);
  const auto fill = [&](const char* field, const std::string& fresh) {
    const auto kept = json::text_at(old, {"metadata", field});
    if (!meta.contains(field)) meta[field] = kept.empty() ? std::string_view(fresh) : kept;
  };
  fill("uid", random_.uuid());
  fill("creationTimestamp", rfc3339(clock_.wall()));
  return store(resource, key, std::move(object));
}

void FakeApi::erase(const schema::Resource& resource, const std::string& ns, const std::string& name) {
  drop(resource, {ns, name});
}

json::Value FakeApi::read(const schema::Resource& resource, const std::string& ns,
                          const std::string& name) const {
  const auto all = all_.find(place(resource));
  if (all == all_.end()) return nullptr;
  const auto at = all->second.find({ns, name});
  return at == all->second.end() ? json::Value() : at->second.object;
}

std::vector<json::Value> FakeApi::read_all(const schema::Resource& resource, const std::string& ns) const {
  std::vector<json::Value> found;
  const auto all = all_.find(place(resource));
  if (all == all_.end()) return found;
  for (const auto& [key, item] : all->second)
    if (ns.empty() || key.ns == ns) found.push_back(item.object);
  return found;
}

void FakeApi::break_watches(Code code) {
  for (const auto& weak : std::exchange(watches_, {}))
    if (const auto watch = weak.lock()) {
      watch->broken = Error(code, "the watch was broken");
      watch->changed.notify_all();
    }
}

Task<Result<Bytes>> FakeApi::create(const schema::Resource& resource, std::string ns, std::string object,
                                    WriteOptions, std::string name, std::string subresource) {
  KL_TRY(value, json::parse(object));
  auto& meta = json::child(value.as_object(), "metadata");
  if (subresource == "binding") {
    const ObjectKey pod{ns, name.empty() ? std::string(json::text_at(value, {"metadata", "name"})) : name};
    KL_CHECK(trouble("bind", resource, pod));
    co_return bind(pod, value);
  }
  std::string own(json::text_at(value, {"metadata", "name"}));
  if (own.empty())
    own = std::string(json::text_at(value, {"metadata", "generateName"})) + random_.name_suffix();
  const ObjectKey key{ns, own};
  KL_CHECK(trouble("create", resource, key));
  if (items(resource).contains(key))
    co_return Error(Code::already_exists, "{} \"{}\" already exists", resource.plural, own);
  if (!ns.empty()) {
    const auto space = read(client::resource("", "v1", "namespaces"), "", ns);
    if (!json::text_at(space, {"metadata", "deletionTimestamp"}).empty())
      co_return Error(Code::forbidden, "unable to create new content in namespace {} because it is being terminated", ns);
  }
  meta["name"] = own;
  meta["uid"] = random_.uuid();
  meta["creationTimestamp"] = rfc3339(clock_.wall());
  meta["generation"] = 1;
  meta.erase("resourceVersion");
  if (resource.plural == "pods" && !json::find(value, {"status", "phase"}))
    json::child(value.as_object(), "status")["phase"] = "Pending";
  if (resource.plural == "namespaces")
    json::child(value.as_object(), "spec")["finalizers"] = json::Array{"kubernetes"};
  co_return store(resource, key, std::move(value));
}

Result<Bytes> FakeApi::bind(const ObjectKey& key, const json::Value& binding) {
  const auto& pods = client::resource("", "v1", "pods");
  auto pod = read(pods, key.ns, key.name);
  if (pod.is_null()) return missing(pods, key);
  if (!json::text_at(pod, {"spec", "nodeName"}).empty() ||
      !json::text_at(pod, {"metadata", "deletionTimestamp"}).empty())
    return Error(Code::conflict, "pod {} is already assigned to a node or being deleted", key.name);
  json::child(pod.as_object(), "spec")["nodeName"] = json::text_at(binding, {"target", "name"});
  auto& conditions = json::child(pod.as_object(), "status")["conditions"];
  json::Array kept;
  if (conditions.is_array())
    for (const auto& c : conditions.get_array())
      if (json::text_at(c, {"type"}) != "PodScheduled") kept.push_back(c);
  kept.push_back(json::Object{{"type", "PodScheduled"}, {"status", "True"}});
  conditions = std::move(kept);
  return store(pods, key, std::move(pod));
}

Result<Bytes> FakeApi::replace(const schema::Resource& resource, const ObjectKey& key, json::Value object,
                               const std::string& subresource) {
  const auto at = items(resource).find(key);
  if (at == items(resource).end()) return missing(resource, key);
  const auto& old = at->second.object;
  auto& root = object.as_object();
  auto& meta = json::child(root, "metadata");
  const auto wanted = json::text_at(object, {"metadata", "resourceVersion"});
  if (!wanted.empty() && wanted != json::text_at(old, {"metadata", "resourceVersion"}))
    return Error(Code::conflict, "the object has been modified");
  if (const auto uid = json::text_at(object, {"metadata", "uid"});
      !uid.empty() && uid != json::text_at(old, {"metadata", "uid"}))
    return Error(Code::conflict, "uid mismatch");
  for (const char* fixed : {"uid", "creationTimestamp", "deletionTimestamp", "generation"}) {
    const auto* value = json::find(old, {"metadata", fixed});
    if (value)
      meta[fixed] = *value;
    else
      meta.erase(fixed);
  }
  const auto keep = [&](const char* part) {
    const auto* value = json::find(old, {part});
    if (value)
      root[part] = *value;
    else
      root.erase(part);
  };
  if (subresource == "status") {
    keep("spec");
  } else if (subresource.empty()) {
    keep("status");
    const auto* before = json::find(old, {"spec"});
    const auto* after = json::find(object, {"spec"});
    if (before && after && *before != *after)
      meta["generation"] = json::int_at(old, {"metadata", "generation"}) + 1;
  }
  if (!json::text_at(object, {"metadata", "deletionTimestamp"}).empty() && !has_finalizers(object) &&
      json::int_at(object, {"metadata", "deletionGracePeriodSeconds"}) == 0) {
    drop(resource, key);
    return Bytes(json::print(object));
  }
  return store(resource, key, std::move(object));
}

Task<Result<Bytes>> FakeApi::update(const schema::Resource& resource, std::string ns, std::string name,
                                    std::string object, WriteOptions, std::string subresource) {
  const ObjectKey key{ns, name};
  KL_CHECK(trouble("update", resource, key));
  KL_TRY(value, json::parse(object));
  co_return replace(resource, key, std::move(value), subresource);
}

Task<Result<Bytes>> FakeApi::patch(const schema::Resource& resource, std::string ns, std::string name,
                                   PatchType type, std::string patch, WriteOptions, std::string subresource) {
  const ObjectKey key{ns, name};
  KL_CHECK(trouble("patch", resource, key));
  KL_TRY(change, json::parse(patch));
  auto object = read(resource, ns, name);
  if (object.is_null()) co_return missing(resource, key);
  if (type == PatchType::json) {
    KL_CHECK(json::apply_json_patch(object, change));
  } else if (type == PatchType::merge) {
    json::apply_merge_patch(object, change);
  } else {
    co_return Error(Code::unsupported_media_type, "the fake API knows JSON and merge patches only");
  }
  co_return replace(resource, key, std::move(object), subresource);
}

Task<Result<void>> FakeApi::remove(const schema::Resource& resource, std::string ns, std::string name,
                                   DeleteOptions options) {
  const ObjectKey key{ns, name};
  KL_CHECK(trouble("remove", resource, key));
  auto object = read(resource, ns, name);
  if (object.is_null()) co_return missing(resource, key);
  if (!options.uid.empty() && options.uid != json::text_at(object, {"metadata", "uid"}))
    co_return Error(Code::conflict, "the UID in the precondition does not match");
  if (options.revision && options.revision != revision_of(object))
    co_return Error(Code::conflict, "the resourceVersion in the precondition does not match");
  auto& meta = json::child(object.as_object(), "metadata");
  if (options.propagation == Propagation::foreground || options.propagation == Propagation::orphan) {
    const json::Value finalizer =
        options.propagation == Propagation::orphan ? "orphan" : "foregroundDeletion";
    auto& list = meta["finalizers"];
    if (!list.is_array()) list = json::Array{};
    if (std::find(list.get_array().begin(), list.get_array().end(), finalizer) == list.get_array().end())
      list.get_array().push_back(finalizer);
  }
  int64_t grace = 0;
  if (resource.plural == "pods" && !json::text_at(object, {"spec", "nodeName"}).empty() &&
      json::text_at(object, {"status", "phase"}) != "Succeeded" &&
      json::text_at(object, {"status", "phase"}) != "Failed")
    grace = options.grace_seconds.value_or(
        json::int_at(object, {"spec", "terminationGracePeriodSeconds"}, 30));
  if (grace == 0 && !has_finalizers(object)) {
    drop(resource, key);
    co_return Result<void>();
  }
  if (!meta.contains("deletionTimestamp")) {
    meta["deletionTimestamp"] = rfc3339(clock_.wall());
    meta["deletionGracePeriodSeconds"] = grace;
    if (resource.plural == "namespaces") json::child(object.as_object(), "status")["phase"] = "Terminating";
  }
  store(resource, key, std::move(object));
  co_return Result<void>();
}

}  // namespace kinglet::client::testing
