// Lists and watches of entries, with selection: what HTTP and the in-process Api share. Nothing is
// decoded.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apiserver/internal/list_query.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "store/store.h"

namespace kinglet::apiserver {

struct Listing {
  std::vector<store::EntryRef> entries;
  store::Revision revision = 0;
  std::string continue_token;
  std::optional<size_t> remaining;  // only without selectors
};
// Errors: bad_request, expired (with a token to go on inconsistently), timeout (a revision of the
// future).
Task<Result<Listing>> list_entries(store::Store& store, Clock& clock,
                                   const schema::Resource& resource, std::string ns,
                                   const ListQuery& query);

// Waits until `revision` is visible. Errors: timeout, in upstream's words.
constexpr Duration kRevisionWaitMax = std::chrono::seconds(3);
Task<Result<void>> wait_for_revision(store::Store& store, Clock& clock, store::Revision revision);

struct WatchItem {
  enum class Type : uint8_t { added, modified, deleted, initial_end, progress };
  Type type;
  store::EntryRef entry;  // deleted: the last state, stamped with the deletion's revision
  store::Revision revision = 0;
};

class Watcher {
 public:
  // Begins where the query says: with the current objects, or beyond its revision. Errors: expired,
  // timeout.
  static Task<Result<std::unique_ptr<Watcher>>> start(store::Store& store, Clock& clock,
                                                      const schema::Resource& resource,
                                                      std::string ns, ListQuery query);
  // Errors: expired.
  Task<Result<WatchItem>> next();
  Result<std::optional<WatchItem>> poll();  // without waiting

 private:
  Watcher(ListQuery query) : query_(std::move(query)) {}
  std::optional<WatchItem> initial();
  std::optional<WatchItem> select(const store::Event& event) const;

  ListQuery query_;
  std::unique_ptr<store::Watch> watch_;
  std::vector<store::EntryRef> initial_;
  size_t sent_ = 0;
  store::Revision begun_at_ = 0;
  bool announce_end_ = false;
};

}  // namespace kinglet::apiserver
