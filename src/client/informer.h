// Informer: one list and one watch of a resource, shared by everybody in the process who reads it.
//
// The cache holds one immutable, counted T per object: readers may keep a Ref across co_await. Iteration is in key
// order, so that decisions made from it are repeatable. Loop only.
//
//   struct Pod : Object {
//     static const schema::Resource& resource();
//     static Ref<const Pod> decode(const json::Value& object);   // all but meta and raw, which the informer fills
//     static constexpr bool kWithoutRaw = true;                  // optional: raw stays empty. What a node caches of
//   };                                                           // many large objects is then small
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/metrics.h"
#include "base/signal.h"
#include "client/object.h"
#include "client/reflector.h"

namespace kinglet::client {

// The part that does not depend on the type.
class InformerCore final : private ReflectorSink {
 public:
  using Decode = std::function<std::shared_ptr<Object>(const json::Value&)>;
  // before null: appeared; after null: gone.
  using Handler = std::function<void(const Object* before, const Object* after)>;
  using IndexKeys = std::function<void(const Object& object, std::vector<std::string>& keys)>;
  using Items = std::map<ObjectKey, Ref<const Object>>;

  enum class Raw : uint8_t { keep, drop };

  InformerCore(Api& api, Clock& clock, Random& random, ReflectorOptions options, Decode decode, Raw raw = Raw::keep);

  Task<void> run();  // until cancelled
  const schema::Resource& resource() const { return *options_.resource; }
  bool has_synced() const { return synced_; }
  Task<void> wait_synced();
  // Everything up to this revision has been seen, of what the selectors let through.
  uint64_t revision() const { return revision_; }

  Ref<const Object> find(const ObjectKey& key) const;
  const Items& items() const { return items_; }
  std::pair<Items::const_iterator, Items::const_iterator> in_namespace(const std::string& ns) const;

  // Called for every change, and at once for what is already there. Handlers live as long as the informer.
  void on_change(Handler handler);
  // Called after each batch of progress: a list, an event or a bookmark.
  void on_progress(std::function<void()> callback) { progress_.push_back(std::move(callback)); }

  // The same name gives the same index; make indexes before the informer runs.
  size_t index(const std::string& name, IndexKeys keys);
  const std::vector<Ref<const Object>>& indexed(size_t index, const std::string& key) const;

 private:
  struct Index {
    std::string name;
    IndexKeys keys;
    std::unordered_map<std::string, std::vector<Ref<const Object>>> entries;  // each in key order
  };

  void list_begin() override;
  void list_item(const Bytes& object) override;
  void list_end(uint64_t revision) override;
  void event(const WatchEvent& event) override;

  Ref<const Object> decoded(const Bytes& bytes) const;
  void put(Ref<const Object> object);
  void erase(const ObjectKey& key);
  void reindex(Index& index, const Object* before, const Ref<const Object>& after);
  void progressed(uint64_t revision);

  ReflectorOptions options_;
  Decode decode_;
  Raw raw_;
  Reflector reflector_;
  Items items_;
  std::map<ObjectKey, Ref<const Object>> listing_;
  std::vector<Index> indexes_;
  std::vector<Handler> handlers_;
  std::vector<std::function<void()>> progress_;
  uint64_t revision_ = 0;
  bool synced_ = false;
  Signal synced_signal_;
};

// The typed face; a reference to the core, cheap to copy.
template <class T>
class Informer {
 public:
  explicit Informer(InformerCore& core) : core_(&core) {}
  InformerCore& core() const { return *core_; }

  Ref<const T> find(const ObjectKey& key) const { return cast(core_->find(key)); }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [key, object] : core_->items()) f(static_cast<const T&>(*object));
  }
  std::vector<Ref<const T>> list() const {
    std::vector<Ref<const T>> out;
    out.reserve(core_->items().size());
    for (const auto& [key, object] : core_->items()) out.push_back(cast(object));
    return out;
  }
  std::vector<Ref<const T>> list(const std::string& ns) const {
    std::vector<Ref<const T>> out;
    const auto [begin, end] = core_->in_namespace(ns);
    for (auto at = begin; at != end; ++at) out.push_back(cast(at->second));
    return out;
  }
  std::vector<Ref<const T>> select(const std::string& ns, const schema::Selector& selector) const {
    std::vector<Ref<const T>> out;
    const auto [begin, end] = core_->in_namespace(ns);
    for (auto at = begin; at != end; ++at)
      if (matches(selector, at->second->meta.labels)) out.push_back(cast(at->second));
    return out;
  }
  size_t size() const { return core_->items().size(); }

  template <class F>  // F(const T* before, const T* after)
  void on_change(F f) const {
    core_->on_change([f = std::move(f)](const Object* before, const Object* after) {
      f(static_cast<const T*>(before), static_cast<const T*>(after));
    });
  }
  template <class F>  // F(const T&, std::vector<std::string>& keys)
  size_t index(const std::string& name, F f) const {
    return core_->index(name, [f = std::move(f)](const Object& object, std::vector<std::string>& keys) {
      f(static_cast<const T&>(object), keys);
    });
  }
  // By the uid of the controlling owner.
  size_t index_by_controller() const {
    return index("controller", [](const T& object, std::vector<std::string>& keys) {
      if (const auto* owner = object.meta.controller()) keys.push_back(owner->uid);
    });
  }
  std::vector<Ref<const T>> indexed(size_t index, const std::string& key) const {
    std::vector<Ref<const T>> out;
    for (const auto& object : core_->indexed(index, key)) out.push_back(cast(object));
    return out;
  }

 private:
  static Ref<const T> cast(const Ref<const Object>& object) {
    return std::static_pointer_cast<const T>(object);
  }
  InformerCore* core_;
};

// Where informers come from: asking twice gives the same one.
class Informers {
 public:
  Informers(Api& api, Clock& clock, Random& random) : api_(api), clock_(clock), random_(random) {}

  template <class T>
  Informer<T> of(std::string ns = {}, std::string field_selector = {}) {
    constexpr auto raw = requires { T::kWithoutRaw; } ? InformerCore::Raw::drop : InformerCore::Raw::keep;
    return Informer<T>(core({&T::resource(), std::move(ns), {}, std::move(field_selector)}, &typeid_of<T>,
                            [](const json::Value& object) -> std::shared_ptr<Object> {
                              return T::decode(object);
                            }, raw));
  }
  // A set of its own over the same Api, for what is watched only for a while.
  std::unique_ptr<Informers> another() const { return std::make_unique<Informers>(api_, clock_, random_); }
  // Lists and watches everything that was asked for before; until cancelled.
  Task<Result<void>> run();
  Task<void> wait_synced();

 private:
  template <class T>
  static constexpr char typeid_of = 0;  // its address tells the types apart
  struct Slot {
    const void* type;
    ReflectorOptions options;
    std::unique_ptr<InformerCore> core;
  };
  InformerCore& core(ReflectorOptions options, const void* type, InformerCore::Decode decode,
                     InformerCore::Raw raw);

  Api& api_;
  Clock& clock_;
  Random& random_;
  std::vector<Slot> slots_;
};

}  // namespace kinglet::client
