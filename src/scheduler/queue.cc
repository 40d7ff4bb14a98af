#include "scheduler/internal/queue.h"

namespace kinglet::scheduler {

void PodQueue::activate(const ObjectKey& key, int priority) {
  if (in_active_.contains(key)) return;
  const Order order{priority, ++sequence_};
  active_[order] = key;
  in_active_.emplace(key, order);
}

void PodQueue::back_off(const ObjectKey& key, int priority, TimePoint now) {
  const auto at = attempts_.find(key);
  if (at == attempts_.end() || at->second.not_before <= now) {
    activate(key, priority);
    return;
  }
  const auto until = at->second.not_before;
  if (backoff_.emplace(key, std::pair(until, priority)).second) backoff_times_.emplace(until, key);
}

void PodQueue::add(const ObjectKey& key, int priority, TimePoint now) {
  parked_.erase(key);
  if (in_active_.contains(key) || backoff_.contains(key)) return;
  back_off(key, priority, now);
}

void PodQueue::remove(const ObjectKey& key) {
  if (const auto at = in_active_.find(key); at != in_active_.end()) {
    active_.erase(at->second);
    in_active_.erase(at);
  }
  if (const auto at = backoff_.find(key); at != backoff_.end()) {
    backoff_times_.erase({at->second.first, key});
    backoff_.erase(at);
  }
  parked_.erase(key);
  attempts_.erase(key);
}

std::optional<ObjectKey> PodQueue::pop() {
  if (active_.empty()) return std::nullopt;
  auto key = std::move(active_.begin()->second);
  active_.erase(active_.begin());
  in_active_.erase(key);
  return key;
}

void PodQueue::park(const ObjectKey& key, int priority, uint32_t wakes_on, TimePoint now) {
  auto& attempts = attempts_[key];
  const int doubled = std::min(attempts.count++, 4);
  attempts.not_before = now + std::min(kBackoffMax, kBackoffFirst * (1 << doubled));
  parked_[key] = {priority, wakes_on, now};
}

void PodQueue::retry(const ObjectKey& key, int priority, TimePoint now) {
  park(key, priority, 0, now);
  parked_.erase(key);
  back_off(key, priority, now);
}

void PodQueue::event(uint32_t bits, TimePoint now) {
  for (auto at = parked_.begin(); at != parked_.end();) {
    if ((at->second.wakes_on & bits) == 0) {
      ++at;
      continue;
    }
    const auto [key, parked] = *at;
    at = parked_.erase(at);
    back_off(key, parked.priority, now);
  }
}

void PodQueue::advance(TimePoint now) {
  while (!backoff_times_.empty() && backoff_times_.begin()->first <= now) {
    const auto key = backoff_times_.begin()->second;
    backoff_times_.erase(backoff_times_.begin());
    const auto at = backoff_.find(key);
    const int priority = at->second.second;
    backoff_.erase(at);
    activate(key, priority);
  }
  for (auto at = parked_.begin(); at != parked_.end();) {
    if (now - at->second.since < kParkedMax) {
      ++at;
      continue;
    }
    activate(at->first, at->second.priority);
    at = parked_.erase(at);
  }
}

std::optional<TimePoint> PodQueue::next() const {
  std::optional<TimePoint> next;
  if (!backoff_times_.empty()) next = backoff_times_.begin()->first;
  for (const auto& [key, parked] : parked_) {
    const auto due = parked.since + kParkedMax;
    next = next ? std::min(*next, due) : due;
  }
  return next;
}

}  // namespace kinglet::scheduler
