// How far each replica set of a deployment may be scaled now.
#include <charconv>
#include <cmath>

#include "controllers/internal/deployment.h"

namespace kinglet::controllers {

int Sizes::total() const {
  int sum = 0;
  for (const auto& [name, count] : replicas) sum += count;
  return sum;
}

namespace {
int number_in(const Meta& meta, const char* annotation) {
  const auto* text = meta.annotation(annotation);
  int number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

Sets active(const Sizes& sizes) {
  Sets sets;
  for (const auto& set : sizes.old)
    if (sizes.of(*set) > 0) sets.push_back(set);
  if (sizes.newest && sizes.of(*sizes.newest) > 0) sets.push_back(sizes.newest);
  return sets;
}

// The one set that carries the deployment, or null while several share it.
Ref<const ReplicaSet> carrier(const Sizes& sizes) {
  const auto sets = active(sizes);
  if (sets.size() == 1) return sets.front();
  if (sets.size() > 1) return nullptr;
  if (sizes.newest) return sizes.newest;
  return sizes.old.empty() ? nullptr : sizes.old.back();
}

// By how much `set` would grow for the deployment's new size, all sets keeping their shares.
int share_of(const Deployment& d, const ReplicaSet& set, int replicas) {
  if (d.replicas == 0) return -replicas;
  int before = number_in(set.meta, kMaxReplicas);
  if (before == 0) before = d.status.replicas;
  if (before == 0) return 0;
  const double size = static_cast<double>(replicas) * (d.replicas + d.surge_pods()) / before;
  return static_cast<int>(std::lround(size)) - replicas;
}

void spread_difference(const Deployment& d, Sizes& sizes) {
  auto sets = active(sizes);
  const int allowed = d.replicas > 0 ? d.replicas + d.surge_pods() : 0;
  const int difference = allowed - sizes.total();
  // The largest set takes what rounding leaves; among equals the newer one grows and the older one shrinks first.
  std::stable_sort(sets.begin(), sets.end(), [&](const auto& a, const auto& b) {
    if (sizes.of(*a) != sizes.of(*b)) return sizes.of(*a) > sizes.of(*b);
    return difference > 0 ? a->meta.created > b->meta.created : a->meta.created < b->meta.created;
  });
  int added = 0;
  for (const auto& set : sets) {
    if (difference == 0) break;
    const int share = share_of(d, *set, sizes.of(*set));
    const int left = difference - added;
    const int part = difference > 0 ? std::clamp(share, 0, left) : std::clamp(share, left, 0);
    sizes.replicas[set->meta.name] += part;
    added += part;
  }
  if (sets.empty() || difference == added) return;
  auto& first = sizes.replicas[sets.front()->meta.name];
  first = std::max(0, first + difference - added);
}
}  // namespace

void scale_proportionally(const Deployment& d, Sizes& sizes) {
  if (const auto one = carrier(sizes)) {
    sizes.replicas[one->meta.name] = d.replicas;
    return;
  }
  const auto& newest = sizes.newest;
  const bool saturated = newest && newest->replicas == d.replicas && newest->status.available == d.replicas &&
                         number_in(newest->meta, kDesiredReplicas) == d.replicas;
  if (saturated) {
    for (const auto& set : sizes.old) sizes.replicas[set->meta.name] = 0;
    return;
  }
  if (!d.recreate) spread_difference(d, sizes);
}

namespace {
bool grow_newest(const Deployment& d, Sizes& sizes) {
  auto& size = sizes.replicas[sizes.newest->meta.name];
  if (size == d.replicas) return false;
  if (size > d.replicas) {
    size = d.replicas;
    return true;
  }
  const int room = d.replicas + d.surge_pods() - sizes.total();
  if (room <= 0) return false;
  size += std::min(room, d.replicas - size);
  return true;
}

// Pods that never became available are given up first: removing them costs nothing.
int drop_unhealthy(Sizes& sizes, int count_max) {
  int dropped = 0;
  for (const auto& set : sizes.old) {
    auto& size = sizes.replicas[set->meta.name];
    const int count = std::min(count_max - dropped, size - std::min(size, set->status.available));
    size -= count;
    dropped += count;
  }
  return dropped;
}

void shrink_old(const Deployment& d, Sizes& sizes) {
  const int available_min = d.replicas - d.unavailable_pods();
  const auto& newest = *sizes.newest;
  const int unavailable_new = std::max(0, sizes.of(newest) - newest.status.available);
  const int count_max = sizes.total() - available_min - unavailable_new;
  if (count_max <= 0) return;
  drop_unhealthy(sizes, count_max);
  int available = newest.status.available;
  for (const auto& set : sizes.old) available += set->status.available;
  int spare = available - available_min;
  for (const auto& set : sizes.old) {
    if (spare <= 0) break;
    auto& size = sizes.replicas[set->meta.name];
    const int count = std::min(size, spare);
    size -= count;
    spare -= count;
  }
}
}  // namespace

void roll(const Deployment& d, Sizes& sizes) {
  if (!sizes.newest || grow_newest(d, sizes)) return;
  shrink_old(d, sizes);
}

}  // namespace kinglet::controllers
