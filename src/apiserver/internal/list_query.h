// The parameters of a list or watch, checked as the real server checks them.
#pragma once
#include <optional>
#include <string>

#include "apiserver/internal/selection.h"
#include "base/clock.h"
#include "base/result.h"
#include "client/api.h"
#include "net/http.h"
#include "schema/types.h"
#include "store/store.h"

namespace kinglet::apiserver {

enum class Match : uint8_t { unset, exact, not_older };

struct ListQuery {
  Selection selection;
  size_t limit = 0;
  std::string continue_token;
  std::optional<store::Revision> revision;  // as asked for; 0 means any
  Match match = Match::unset;
  bool bookmarks = false;
  std::optional<bool> initial_events;
  std::optional<Duration> timeout;
};
// Errors: bad_request, invalid.
Result<ListQuery> list_query(const net::Request& request, const schema::Resource& resource,
                             bool watch);
Result<ListQuery> list_query(const client::ListOptions& options, const schema::Resource& resource);
// A resourceVersion parameter; nullopt when empty. Errors: bad_request.
Result<std::optional<store::Revision>> parse_revision(std::string_view text);

// Where a list goes on: the snapshot's revision (-1: whatever is there then) and the last key
// before, relative to the prefix.
struct Continuation {
  int64_t revision = 0;
  std::string after;
};
std::string continue_token(const Continuation& continuation);
Result<Continuation> parse_continue_token(std::string_view token);  // errors: bad_request

}  // namespace kinglet::apiserver
