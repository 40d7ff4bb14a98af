#include "store/internal/index.h"

namespace kinglet::store {
namespace {

// What an event costs beside the values that it keeps alive.
constexpr size_t kEventBytes = 200;

std::shared_ptr<const Tags> no_tags() {
  static const auto empty = std::make_shared<const Tags>();
  return empty;
}

Bytes stamped(const Value& value, Revision revision) {
  if (value.stamp_at == std::string::npos) return Bytes(value.text);
  KL_ASSERT(value.stamp_at <= value.text.size(), "stamp beyond the value");
  const std::string digits = std::to_string(revision);
  const std::string_view text = value.text;
  return Bytes::concat({text.substr(0, value.stamp_at), digits, text.substr(value.stamp_at)});
}
}  // namespace

Index::Index(Clock& clock, Indexer indexer, HistoryLimits limits)
    : clock_(clock), indexer_(std::move(indexer)), limits_(limits) {}

Result<EntryRef> Index::check_put(const std::string& key, Revision expected) const {
  EntryRef now = entries_.find(key);
  if (expected == 0 && now) return Error(Code::already_exists, "{} already exists", key);
  if (expected != 0 && !now) return Error(Code::not_found, "{} not found", key);
  if (now && now->revision != expected)
    return Error(Code::conflict, "{} is at revision {}, not {}", key, now->revision, expected);
  return now;
}

Result<EntryRef> Index::check_remove(const std::string& key, Revision expected) const {
  EntryRef now = entries_.find(key);
  if (!now) return Error(Code::not_found, "{} not found", key);
  if (now->revision != expected)
    return Error(Code::conflict, "{} is at revision {}, not {}", key, now->revision, expected);
  return now;
}

EntryRef Index::make_entry(std::string key, const Value& value, Revision revision,
                           const EntryRef& previous) const {
  auto entry = std::make_shared<Entry>();
  entry->value = stamped(value, revision);
  entry->revision = revision;
  entry->created = previous ? previous->created : revision;
  Tags tags = indexer_ ? indexer_(key, entry->value.view()) : Tags();
  // Most writes change a status and leave the labels alone: then the tags are shared.
  if (previous && *previous->tags == tags)
    entry->tags = previous->tags;
  else
    entry->tags = tags.empty() ? no_tags() : std::make_shared<const Tags>(std::move(tags));
  entry->key = std::move(key);
  return entry;
}

EntryRef Index::stored_entry(std::string_view key, std::string_view value, Revision revision,
                             Revision created) const {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->value = Bytes(value);
  entry->revision = revision;
  entry->created = created;
  Tags tags = indexer_ ? indexer_(key, value) : Tags();
  entry->tags = tags.empty() ? no_tags() : std::make_shared<const Tags>(std::move(tags));
  return entry;
}

void Index::publish_put(EntryRef entry, EntryRef previous) {
  entries_.put(entry);
  const Revision revision = entry->revision;
  publish({Event::Type::put, revision, std::move(entry), std::move(previous)});
}

void Index::publish_remove(EntryRef last, EntryRef previous) {
  entries_.erase(last->key);
  const Revision revision = last->revision;
  publish({Event::Type::remove, revision, std::move(last), std::move(previous)});
}

void Index::publish(Event event) {
  KL_ASSERT(event.revision > current_, "revision {} after {}", event.revision, current_);
  current_ = event.revision;
  size_t bytes = kEventBytes;
  if (event.previous) bytes += event.previous->value.size();
  if (event.type == Event::Type::remove) bytes += event.entry->value.size();
  const auto shared = std::make_shared<const Event>(std::move(event));
  history_.push_back({shared, clock_.now(), bytes});
  history_bytes_ += bytes;
  while (history_.size() > limits_.events_max || history_bytes_ > limits_.bytes_max) drop_oldest();
  watchers_.deliver(shared);
}

void Index::drop_oldest() {
  compacted_ = history_.front().event->revision;
  history_bytes_ -= history_.front().bytes;
  history_.pop_front();
}

std::optional<TimePoint> Index::forget_old() {
  const TimePoint now = clock_.now();
  while (!history_.empty() && history_.front().at + limits_.age_max <= now) drop_oldest();
  if (history_.empty()) return std::nullopt;
  return history_.front().at + limits_.age_max;
}

Result<void> Index::compact(Revision through) {
  if (through > current_)
    return Error(Code::bad_request, "compact to {}: the store is at {}", through, current_);
  while (!history_.empty() && history_.front().event->revision <= through) drop_oldest();
  compacted_ = std::max(compacted_, through);
  return {};
}

size_t Index::count(std::string_view prefix) const {
  return entries_.distance(entries_.first_from(prefix), entries_.end_of_prefix(prefix));
}

Page Index::list(std::string_view prefix, const ListOptions& options) const {
  Page page;
  page.revision = current_;
  const auto end = entries_.end_of_prefix(prefix);
  auto at =
      options.after > prefix ? entries_.first_beyond(options.after) : entries_.first_from(prefix);
  const size_t found = entries_.distance(at, end);
  const size_t wanted = options.limit == 0 ? found : std::min(found, options.limit);
  page.entries.reserve(wanted);
  for (size_t i = 0; i < wanted; ++i, at = entries_.next(at)) page.entries.push_back(entries_[at]);
  page.remaining = found - wanted;
  page.more = page.remaining > 0;
  return page;
}

// The past is made by undoing what happened since, newest first.
Result<Page> Index::list_at(std::string_view prefix, const ListOptions& options) const {
  if (options.at == 0 || options.at == current_) return list(prefix, options);
  if (options.at > current_)
    return Error(Code::timeout, "Too large resource version: {}, current: {}", options.at,
                 current_);
  if (options.at < compacted_)
    return Error(Code::expired, "revision {} has been compacted", options.at);
  std::map<std::string_view, EntryRef> undone;  // null: the key was not there
  for (auto past = history_.rbegin(); past != history_.rend(); ++past) {
    const Event& event = *past->event;
    if (event.revision <= options.at) break;
    if (std::string_view(event.entry->key).starts_with(prefix))
      undone[event.entry->key] = event.previous;
  }
  Page page;
  page.revision = options.at;
  const auto add = [&](const EntryRef& entry) {
    if (!entry || entry->key <= options.after) return;
    if (options.limit == 0 || page.entries.size() < options.limit)
      page.entries.push_back(entry);
    else
      ++page.remaining;
  };
  const auto end = entries_.end_of_prefix(prefix);
  auto old = undone.begin();
  for (auto at = entries_.first_from(prefix); at != end; at = entries_.next(at)) {
    const EntryRef& entry = entries_[at];
    while (old != undone.end() && old->first < entry->key) add((old++)->second);
    if (old != undone.end() && old->first == entry->key)
      add((old++)->second);
    else
      add(entry);
  }
  while (old != undone.end()) add((old++)->second);
  page.more = page.remaining > 0;
  return page;
}

Result<std::unique_ptr<Watch>> Index::watch(std::string prefix, Revision after) {
  if (after < compacted_)
    return Error(Code::expired, "revision {} has been compacted: the history begins at {}", after,
                 compacted_);
  std::vector<EventRef> backlog;
  const auto first = std::partition_point(history_.begin(), history_.end(), [&](const Past& past) {
    return past.event->revision <= after;
  });
  for (auto past = first; past != history_.end(); ++past)
    if (std::string_view(past->event->entry->key).starts_with(prefix))
      backlog.push_back(past->event);
  return watchers_.add(std::move(prefix), after, std::move(backlog));
}

}  // namespace kinglet::store
