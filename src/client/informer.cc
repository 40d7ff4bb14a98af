#include "client/informer.h"

#include "base/task.h"
#include "base/task_group.h"

namespace kinglet::client {

InformerCore::InformerCore(Api& api, Clock& clock, Random& random, ReflectorOptions options,
                           Decode decode, Raw raw)
    : options_(std::move(options)),
      decode_(std::move(decode)),
      raw_(raw),
      reflector_(api, clock, random, *this, options_) {}

Task<void> InformerCore::run() { co_await reflector_.run(); }

Task<void> InformerCore::wait_synced() {
  while (!synced_) co_await synced_signal_.wait();
}

Ref<const Object> InformerCore::find(const ObjectKey& key) const {
  const auto at = items_.find(key);
  return at == items_.end() ? nullptr : at->second;
}

std::pair<InformerCore::Items::const_iterator, InformerCore::Items::const_iterator>
InformerCore::in_namespace(const std::string& ns) const {
  const auto begin = items_.lower_bound({ns, ""});
  auto end = items_.lower_bound({ns + '\0', ""});  // the smallest key of a greater namespace
  return {begin, end};
}

void InformerCore::on_change(Handler handler) {
  for (const auto& [key, object] : items_) handler(nullptr, object.get());
  handlers_.push_back(std::move(handler));
}

size_t InformerCore::index(const std::string& name, IndexKeys keys) {
  for (size_t i = 0; i < indexes_.size(); ++i)
    if (indexes_[i].name == name) return i;
  indexes_.push_back({name, std::move(keys), {}});
  for (const auto& [key, object] : items_) reindex(indexes_.back(), nullptr, object);
  return indexes_.size() - 1;
}

const std::vector<Ref<const Object>>& InformerCore::indexed(size_t index, const std::string& key) const {
  static const std::vector<Ref<const Object>> kNone;
  const auto at = indexes_[index].entries.find(key);
  return at == indexes_[index].entries.end() ? kNone : at->second;
}

void InformerCore::reindex(Index& index, const Object* before, const Ref<const Object>& after) {
  std::vector<std::string> keys;
  const auto by_key = [](const Ref<const Object>& object, const Meta& meta) {
    return std::tie(object->meta.ns, object->meta.name) < std::tie(meta.ns, meta.name);
  };
  if (before) {
    index.keys(*before, keys);
    for (const auto& key : keys) {
      const auto entry = index.entries.find(key);
      if (entry == index.entries.end()) continue;
      auto& list = entry->second;
      const auto at = std::lower_bound(list.begin(), list.end(), before->meta, by_key);
      if (at != list.end() && at->get() == before) list.erase(at);
      if (list.empty()) index.entries.erase(entry);
    }
    keys.clear();
  }
  if (!after) return;
  index.keys(*after, keys);
  for (const auto& key : keys) {
    auto& list = index.entries[key];
    const auto at = std::lower_bound(list.begin(), list.end(), after->meta, by_key);
    if (at == list.end() || at->get() != after.get()) list.insert(at, after);
  }
}

Ref<const Object> InformerCore::decoded(const Bytes& bytes) const {
  // Bytes that do not parse come from a broken or hostile server: the object is left out, never trusted.
  const auto value = json::parse(bytes.view());
  if (!value) return nullptr;
  auto object = decode_(*value);
  if (!object) return nullptr;
  object->meta = decode_meta(*value);
  if (raw_ == Raw::keep) object->raw = bytes;
  return object;
}

void InformerCore::list_begin() { listing_.clear(); }

void InformerCore::list_item(const Bytes& bytes) {
  if (auto object = decoded(bytes)) {
    auto key = object->meta.key();
    listing_[std::move(key)] = std::move(object);
  }
}

void InformerCore::list_end(uint64_t revision) {
  auto fresh = std::exchange(listing_, {});
  std::vector<ObjectKey> gone;
  for (const auto& [key, object] : items_)
    if (!fresh.contains(key)) gone.push_back(key);
  for (const auto& key : gone) erase(key);
  for (auto& [key, object] : fresh) put(std::move(object));
  progressed(revision);
  if (!std::exchange(synced_, true)) synced_signal_.notify_all();
}

void InformerCore::event(const WatchEvent& event) {
  switch (event.type) {
    case WatchEvent::Type::added:
    case WatchEvent::Type::modified:
      if (auto object = decoded(event.object)) put(std::move(object));
      break;
    case WatchEvent::Type::deleted:
      if (const auto value = json::parse(event.object.view()))
        erase({std::string(json::text_at(*value, {"metadata", "namespace"})),
               std::string(json::text_at(*value, {"metadata", "name"}))});
      break;
    case WatchEvent::Type::bookmark:
      break;
  }
  progressed(event.revision);
}

void InformerCore::put(Ref<const Object> object) {
  auto& slot = items_[object->meta.key()];
  if (slot && slot->meta.revision == object->meta.revision && slot->meta.uid == object->meta.uid) return;
  const auto before = std::exchange(slot, object);
  // Removed and made again between two of our looks: handlers must see the old one go.
  if (before && before->meta.uid != object->meta.uid) {
    for (auto& index : indexes_) reindex(index, before.get(), nullptr);
    for (const auto& handler : handlers_) handler(before.get(), nullptr);
    for (auto& index : indexes_) reindex(index, nullptr, object);
    for (const auto& handler : handlers_) handler(nullptr, object.get());
    return;
  }
  for (auto& index : indexes_) reindex(index, before.get(), object);
  for (const auto& handler : handlers_) handler(before.get(), object.get());
}

void InformerCore::erase(const ObjectKey& key) {
  const auto at = items_.find(key);
  if (at == items_.end()) return;
  const auto before = at->second;
  items_.erase(at);
  for (auto& index : indexes_) reindex(index, before.get(), nullptr);
  for (const auto& handler : handlers_) handler(before.get(), nullptr);
}

void InformerCore::progressed(uint64_t revision) {
  revision_ = std::max(revision_, revision);
  for (const auto& callback : progress_) callback();
}

InformerCore& Informers::core(ReflectorOptions options, const void* type, InformerCore::Decode decode,
                              InformerCore::Raw raw) {
  for (auto& slot : slots_)
    if (slot.type == type && slot.options.ns == options.ns &&
        slot.options.field_selector == options.field_selector)
      return *slot.core;
  auto made = std::make_unique<InformerCore>(api_, clock_, random_, options, std::move(decode), raw);
  slots_.push_back({type, std::move(options), std::move(made)});
  return *slots_.back().core;
}

Task<Result<void>> Informers::run() {
  TaskGroup group(TaskGroup::WhenEmpty::keep_open);
  for (auto& slot : slots_)
    group.add("informer " + std::string(slot.options.resource->plural), slot.core->run());
  co_return co_await group.run();
}

Task<void> Informers::wait_synced() {
  for (size_t i = 0; i < slots_.size(); ++i) co_await slots_[i].core->wait_synced();
}

}  // namespace kinglet::client
