#include "apiserver/internal/lister.h"

#include "apiserver/internal/metadata.h"
#include "apiserver/registry.h"

namespace kinglet::apiserver {
namespace {

constexpr Duration kRevisionPoll = std::chrono::milliseconds(20);

Error too_large(store::Revision wanted, store::Revision current) {
  Error error(Code::timeout, "Timeout: Too large resource version: {}, current: {}", wanted,
              current);
  auto& details = error.mutable_details();
  details.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  details.retry_after_seconds = 1;
  return error;
}

Error expired_list(bool continued, const std::string& after) {
  if (!continued)
    return Error(Code::expired, "The resourceVersion for the provided list is too old.");
  Error error(Code::expired,
              "The provided continue parameter is too old to display a consistent list result. You "
              "can start a new "
              "list without the continue parameter, or use the continue token in this response to "
              "retrieve the "
              "remainder of the results. Continuing with the provided token results in an "
              "inconsistent list - "
              "objects that were created, modified, or deleted between the time the first chunk "
              "was returned and "
              "now may show up in the list.");
  error.mutable_details().continue_token = continue_token({-1, after});
  return error;
}

// The one key that can match, if there is only one.
std::optional<std::string> only_key(const schema::Resource& resource, const std::string& ns,
                                    const ListQuery& query) {
  if (!query.selection.only_name()) return std::nullopt;
  if (resource.namespaced && ns.empty()) return std::nullopt;
  return store_key(resource, ns, *query.selection.only_name());
}

// Where a list begins: a snapshot's revision (0: now) and the key before its first.
struct Start {
  store::Revision at = 0;
  std::string after;
  bool continued = false;
};

Result<Start> start_of(const ListQuery& query, const std::string& prefix) {
  Start start;
  if (!query.continue_token.empty()) {
    KL_TRY_FN(continuation, parse_continue_token(query.continue_token));
    start.continued = true;
    start.after = prefix + continuation.after;
    if (continuation.revision > 0) start.at = static_cast<store::Revision>(continuation.revision);
    return start;
  }
  const bool exact =
      query.match == Match::exact || (query.match == Match::unset && query.limit > 0);
  if (exact && query.revision && *query.revision > 0) start.at = *query.revision;
  return start;
}

}  // namespace

Task<Result<void>> wait_for_revision(store::Store& store, Clock& clock, store::Revision revision) {
  const auto deadline = clock.now() + kRevisionWaitMax;
  while (store.current() < revision) {
    if (clock.now() >= deadline) co_return too_large(revision, store.current());
    co_await clock.sleep(kRevisionPoll);
  }
  co_return Result<void>();
}

Task<Result<Listing>> list_entries(store::Store& store, Clock& clock,
                                   const schema::Resource& resource, std::string ns,
                                   const ListQuery& query) {
  const std::string prefix = store_prefix(resource, ns);
  KL_TRY(start, start_of(query, prefix));
  if (start.at > 0 && !start.continued)
    KL_CHECK(co_await wait_for_revision(store, clock, start.at));
  if (start.at == 0 && !query.revision) KL_CHECK(co_await store.barrier());
  if (start.at == 0 && query.revision)
    KL_CHECK(co_await wait_for_revision(store, clock, *query.revision));

  Listing out;
  if (const auto key = only_key(resource, ns, query); key && start.at == 0) {
    auto entry = store.find(*key);
    out.revision = store.current();
    if (entry && query.selection.matches(*entry)) out.entries.push_back(std::move(entry));
    co_return std::move(out);
  }
  for (;;) {
    store::ListOptions options;
    options.at = start.at;
    options.after = start.after;
    if (query.limit > 0) options.limit = query.limit - out.entries.size();
    store::Page page;
    if (start.at == 0) {
      page = store.list(prefix, options);
    } else {
      auto past = co_await store.list_at(prefix, options);
      if (past.is(Code::expired))
        co_return expired_list(start.continued,
                               start.after.substr(std::min(start.after.size(), prefix.size())));
      if (!past) co_return std::move(past.error());
      page = std::move(*past);
    }
    out.revision = page.revision;
    start.at = page.revision;  // further pages are of the same snapshot
    const std::string last = page.entries.empty() ? std::string() : page.entries.back()->key;
    if (query.selection.everything() && out.entries.empty()) {
      out.entries = std::move(page.entries);
    } else {
      for (auto& entry : page.entries)
        if (query.selection.matches(*entry)) out.entries.push_back(std::move(entry));
    }
    if (!page.more || last.empty()) break;
    if (query.limit > 0 && out.entries.size() >= query.limit) {
      out.continue_token =
          continue_token({static_cast<int64_t>(out.revision), last.substr(prefix.size())});
      if (query.selection.everything()) out.remaining = page.remaining;
      break;
    }
    start.after = last;
  }
  co_return std::move(out);
}

Task<Result<std::unique_ptr<Watcher>>> Watcher::start(store::Store& store, Clock& clock,
                                                      const schema::Resource& resource,
                                                      std::string ns, ListQuery query) {
  const auto revision = query.revision.value_or(0);
  if (!query.revision) KL_CHECK(co_await store.barrier());
  if (revision > 0) KL_CHECK(co_await wait_for_revision(store, clock, revision));
  const bool with_initial = query.initial_events ? *query.initial_events : revision == 0;
  const auto key = only_key(resource, ns, query);
  std::string prefix = key ? *key : store_prefix(resource, ns);

  auto out = std::unique_ptr<Watcher>(new Watcher(std::move(query)));
  out->begun_at_ = with_initial || revision == 0 ? store.current() : revision;
  if (with_initial) {
    for (auto& entry : store.list(prefix, {}).entries)
      if (out->query_.selection.matches(*entry)) out->initial_.push_back(std::move(entry));
    out->announce_end_ = out->query_.initial_events.value_or(false) && out->query_.bookmarks;
  }
  auto watch = store.watch(prefix, out->begun_at_);
  if (watch.is(Code::expired)) {
    co_return Error(Code::expired, "too old resource version: {} ({})", out->begun_at_,
                    store.compacted() + 1);
  }
  if (!watch) co_return std::move(watch.error());
  out->watch_ = std::move(*watch);
  co_return std::move(out);
}

std::optional<WatchItem> Watcher::initial() {
  if (sent_ < initial_.size()) {
    auto entry = std::move(initial_[sent_++]);
    const auto revision = entry->revision;
    return WatchItem{WatchItem::Type::added, std::move(entry), revision};
  }
  if (!initial_.empty()) std::vector<store::EntryRef>().swap(initial_);
  sent_ = 0;
  if (!announce_end_) return std::nullopt;
  announce_end_ = false;
  return WatchItem{WatchItem::Type::initial_end, nullptr, begun_at_};
}

// What an event means to somebody who sees only the selected objects.
std::optional<WatchItem> Watcher::select(const store::Event& event) const {
  using Type = WatchItem::Type;
  if (event.type == store::Event::Type::progress)
    return WatchItem{Type::progress, nullptr, event.revision};
  const bool all = query_.selection.everything();
  const auto& before = event.previous ? event.previous : event.entry;
  if (event.type == store::Event::Type::remove) {
    if (!all && !query_.selection.matches(*before)) return std::nullopt;
    return WatchItem{Type::deleted, event.entry, event.revision};
  }
  const bool is = all || query_.selection.matches(*event.entry);
  const bool was = event.previous && (all || query_.selection.matches(*event.previous));
  if (is) return WatchItem{was ? Type::modified : Type::added, event.entry, event.revision};
  if (!was) return std::nullopt;
  auto gone = std::make_shared<store::Entry>(*event.previous);
  gone->revision = event.revision;
  gone->value = Bytes(restamped(event.previous->value.view(), event.revision));
  return WatchItem{Type::deleted, std::move(gone), event.revision};
}

Task<Result<WatchItem>> Watcher::next() {
  if (auto item = initial()) co_return std::move(*item);
  for (;;) {
    auto event = co_await watch_->next();
    if (!event) co_return std::move(event.error());
    if (auto item = select(*event)) co_return std::move(*item);
  }
}

Result<std::optional<WatchItem>> Watcher::poll() {
  if (auto item = initial()) return item;
  for (;;) {
    KL_TRY_FN(event, watch_->poll());
    if (!event) return std::optional<WatchItem>();
    if (auto item = select(*event)) return item;
  }
}

}  // namespace kinglet::apiserver
