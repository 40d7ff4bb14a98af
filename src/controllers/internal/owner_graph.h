// Who depends on whom, over all kinds: only objects that have owners, or that wait for their dependents, are kept, as
// identities. Everything else passes by. Pure data; the garbage collector asks and acts.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "client/object.h"

namespace kinglet::controllers {

// A uid in 16 bytes: UUIDs as they are, anything else by its hash.
struct Uid {
  uint64_t high = 0, low = 0;
  auto operator<=>(const Uid&) const = default;
  static Uid of(std::string_view text);
};
struct UidHash {
  size_t operator()(const Uid& uid) const { return uid.high ^ (uid.low * 0x9e3779b97f4a7c15u); }
};

inline constexpr char kForeground[] = "foregroundDeletion";
inline constexpr char kOrphan[] = "orphan";

class OwnerGraph {
 public:
  struct Edge {
    Uid owner;
    bool blocks = false;  // blockOwnerDeletion
  };
  struct Node {
    const schema::Resource* resource = nullptr;
    std::string ns, name, uid;
    std::vector<Edge> owners;
    bool deleting = false;
    bool waits_for_dependents = false;  // deleting, with the foregroundDeletion finalizer
    bool orphans_dependents = false;    // deleting, with the orphan finalizer
  };
  enum class Presence : uint8_t { unknown, present, absent };

  // What a change asks for: uids whose node should be looked at.
  using Wake = std::vector<Uid>;

  // The newest state of an object. Skips, without parsing, what can have no part in ownership.
  Wake update(const schema::Resource& resource, const Bytes& object);
  Wake erase(const schema::Resource& resource, const Bytes& last);
  // After a list of `resource`: everything of it that was not updated since begin_list() is gone.
  void begin_list(const schema::Resource& resource);
  Wake end_list(const schema::Resource& resource);

  const Node* find(const Uid& uid) const;
  std::vector<const Node*> dependents(const Uid& owner) const;  // in the order of their uids
  bool has_dependents(const Uid& owner) const { return owners_.contains(owner); }
  Presence presence(const Uid& owner) const;
  void set_presence(const Uid& owner, Presence presence);
  size_t nodes() const { return nodes_.size(); }

 private:
  struct Owner {
    Presence presence = Presence::unknown;
    std::string kind;  // of the owner: a relist of it makes us doubt
    std::set<Uid> dependents;
  };
  void link(const Uid& uid, Node& node, const client::Meta& meta, Wake& wake);
  void unlink(const Uid& uid, const Node& node);
  void drop(const Uid& uid, Wake& wake);
  void owner_gone(const Uid& uid, Wake& wake);

  std::unordered_map<Uid, Node, UidHash> nodes_;
  std::unordered_map<Uid, Owner, UidHash> owners_;
  std::map<const schema::Resource*, std::set<Uid>> listing_;  // seen since begin_list
};

// What to do about an object, given what became of its owners.
struct OwnerStates {
  size_t solid = 0, gone = 0, waiting = 0;
};
enum class Verdict : uint8_t { keep, drop_owners, remove_foreground, remove };
Verdict judge(const OwnerStates& owners, bool has_dependents);

}  // namespace kinglet::controllers
