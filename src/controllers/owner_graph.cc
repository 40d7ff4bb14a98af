#include "controllers/internal/owner_graph.h"

namespace kinglet::controllers {

Uid Uid::of(std::string_view text) {
  Uid uid;
  int digits = 0;
  bool plain = text.size() == 36;
  for (const char c : text) {
    if (c == '-') continue;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) plain = false;
    if (!plain) break;
    uid.high = uid.high << 4 | uid.low >> 60;
    uid.low = uid.low << 4 | static_cast<uint64_t>(digit);
    ++digits;
  }
  if (plain && digits == 32) return uid;
  // FNV-1a twice with different starts.
  uid = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};
  for (const char c : text) {
    uid.high = (uid.high ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
    uid.low = (uid.low ^ static_cast<uint8_t>(c)) * 0x100000001b3u + uid.high;
  }
  return uid;
}

namespace {
// Objects are canonical: metadata comes first and its uid before anything a user may write, so the first uid in the
// text is the object's own. Looking for it costs a fraction of a parse, and most events need no more.
std::string_view own_uid(std::string_view text) {
  constexpr std::string_view kMark = "\"uid\":\"";
  const auto at = text.find(kMark);
  if (at == std::string_view::npos) return {};
  const auto begin = at + kMark.size();
  const auto end = text.find('"', begin);
  return end == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin);
}

bool may_matter(std::string_view text) {
  return text.find("\"ownerReferences\":") != std::string_view::npos ||
         text.find("\"deletionTimestamp\":\"") != std::string_view::npos;
}
}  // namespace

OwnerGraph::Wake OwnerGraph::update(const schema::Resource& resource, const Bytes& object) {
  Wake wake;
  const auto text = object.view();
  if (const auto listing = listing_.find(&resource); listing != listing_.end())
    listing->second.insert(Uid::of(own_uid(text)));
  if (!may_matter(text)) {
    if (nodes_.empty()) return wake;
    const auto uid = Uid::of(own_uid(text));
    if (nodes_.contains(uid)) drop(uid, wake);  // it has let its owners go
    return wake;
  }
  const auto value = json::parse(text);
  if (!value) return wake;
  const auto meta = client::decode_meta(*value);
  const auto uid = Uid::of(meta.uid);
  const bool deleting = meta.deleted.has_value();
  Node node{&resource, meta.ns, meta.name, meta.uid, {}, deleting, deleting && meta.has_finalizer(kForeground),
            deleting && meta.has_finalizer(kOrphan)};
  const bool acts_as_owner = node.waits_for_dependents || node.orphans_dependents;
  if (meta.owners.empty() && !acts_as_owner) {
    if (nodes_.contains(uid)) drop(uid, wake);
    return wake;
  }
  if (const auto before = nodes_.find(uid); before != nodes_.end()) {
    // An owner that waits for us may now be free.
    for (const auto& edge : before->second.owners) wake.push_back(edge.owner);
    unlink(uid, before->second);
  }
  link(uid, node, meta, wake);
  if (acts_as_owner) {
    wake.push_back(uid);
    for (const auto* dependent : dependents(uid)) wake.push_back(Uid::of(dependent->uid));
  }
  nodes_[uid] = std::move(node);
  return wake;
}

void OwnerGraph::link(const Uid& uid, Node& node, const client::Meta& meta, Wake& wake) {
  bool doubtful = false;
  for (const auto& ref : meta.owners) {
    const auto owner_uid = Uid::of(ref.uid);
    node.owners.push_back({owner_uid, ref.block_owner_deletion});
    auto& owner = owners_[owner_uid];
    owner.kind = ref.kind;
    owner.dependents.insert(uid);
    doubtful = doubtful || owner.presence != Presence::present;
    const auto known = nodes_.find(owner_uid);
    doubtful = doubtful || (known != nodes_.end() && known->second.waits_for_dependents);
  }
  if (doubtful) wake.push_back(uid);
}

void OwnerGraph::unlink(const Uid& uid, const Node& node) {
  for (const auto& edge : node.owners) {
    const auto owner = owners_.find(edge.owner);
    if (owner == owners_.end()) continue;
    owner->second.dependents.erase(uid);
    if (owner->second.dependents.empty()) owners_.erase(owner);
  }
}

void OwnerGraph::drop(const Uid& uid, Wake& wake) {
  const auto at = nodes_.find(uid);
  if (at == nodes_.end()) return;
  for (const auto& edge : at->second.owners) wake.push_back(edge.owner);
  unlink(uid, at->second);
  nodes_.erase(at);
}

void OwnerGraph::owner_gone(const Uid& uid, Wake& wake) {
  const auto owner = owners_.find(uid);
  if (owner == owners_.end()) return;
  owner->second.presence = Presence::absent;
  wake.insert(wake.end(), owner->second.dependents.begin(), owner->second.dependents.end());
}

OwnerGraph::Wake OwnerGraph::erase(const schema::Resource&, const Bytes& last) {
  Wake wake;
  const auto uid = Uid::of(own_uid(last.view()));
  owner_gone(uid, wake);
  drop(uid, wake);
  return wake;
}

void OwnerGraph::begin_list(const schema::Resource& resource) { listing_[&resource].clear(); }

OwnerGraph::Wake OwnerGraph::end_list(const schema::Resource& resource) {
  Wake wake;
  const auto listing = listing_.find(&resource);
  if (listing == listing_.end()) return wake;
  const auto seen = std::move(listing->second);
  listing_.erase(listing);
  std::vector<Uid> gone;
  for (const auto& [uid, node] : nodes_)
    if (node.resource == &resource && !seen.contains(uid)) gone.push_back(uid);
  // Owners of this kind that nobody deletes before our eyes may be gone too: ask about them again.
  for (auto& [uid, owner] : owners_)
    if (owner.kind == resource.kind && !seen.contains(uid) && owner.presence == Presence::present) {
      owner.presence = Presence::unknown;
      wake.insert(wake.end(), owner.dependents.begin(), owner.dependents.end());
    }
  std::sort(gone.begin(), gone.end());
  for (const auto& uid : gone) {
    owner_gone(uid, wake);
    drop(uid, wake);
  }
  std::sort(wake.begin(), wake.end());  // the maps have no order of their own
  return wake;
}

const OwnerGraph::Node* OwnerGraph::find(const Uid& uid) const {
  const auto at = nodes_.find(uid);
  return at == nodes_.end() ? nullptr : &at->second;
}

std::vector<const OwnerGraph::Node*> OwnerGraph::dependents(const Uid& owner) const {
  std::vector<const Node*> found;
  const auto at = owners_.find(owner);
  if (at == owners_.end()) return found;
  for (const auto& uid : at->second.dependents)
    if (const auto* node = find(uid)) found.push_back(node);
  return found;
}

OwnerGraph::Presence OwnerGraph::presence(const Uid& owner) const {
  const auto at = owners_.find(owner);
  return at == owners_.end() ? Presence::unknown : at->second.presence;
}

void OwnerGraph::set_presence(const Uid& owner, Presence presence) {
  if (const auto at = owners_.find(owner); at != owners_.end()) at->second.presence = presence;
}

Verdict judge(const OwnerStates& owners, bool has_dependents) {
  if (owners.solid > 0) return owners.gone + owners.waiting > 0 ? Verdict::drop_owners : Verdict::keep;
  if (owners.waiting > 0 && has_dependents) return Verdict::remove_foreground;
  if (owners.gone + owners.waiting > 0) return Verdict::remove;
  return Verdict::keep;
}

}  // namespace kinglet::controllers
