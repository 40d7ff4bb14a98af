#include "store/internal/sorted_entries.h"

namespace kinglet::store {
namespace {
// The smallest text that is greater than every text with this prefix; empty: there is none.
std::string successor(std::string_view prefix) {
  std::string next(prefix);
  while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xff) next.pop_back();
  if (!next.empty()) next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}
}  // namespace

SortedEntries::Place SortedEntries::normal(Place place) const {
  if (place.piece < pieces_.size() && place.at == pieces_[place.piece].size())
    return {place.piece + 1, 0};
  return place;
}

SortedEntries::Place SortedEntries::first_from(std::string_view key) const {
  const auto piece = std::partition_point(pieces_.begin(), pieces_.end(), [&](const Piece& p) {
    return std::string_view(p.back()->key) < key;
  });
  if (piece == pieces_.end()) return end();
  const auto at = std::partition_point(piece->begin(), piece->end(), [&](const EntryRef& entry) {
    return std::string_view(entry->key) < key;
  });
  return {static_cast<size_t>(piece - pieces_.begin()), static_cast<size_t>(at - piece->begin())};
}

SortedEntries::Place SortedEntries::first_beyond(std::string_view key) const {
  const Place place = first_from(key);
  return place != end() && (*this)[place]->key == key ? next(place) : place;
}

SortedEntries::Place SortedEntries::end_of_prefix(std::string_view prefix) const {
  const std::string beyond = successor(prefix);
  return beyond.empty() ? end() : first_from(beyond);
}

SortedEntries::Place SortedEntries::next(Place place) const {
  return normal({place.piece, place.at + 1});
}

size_t SortedEntries::distance(Place from, Place to) const {
  if (from.piece > to.piece || (from.piece == to.piece && from.at >= to.at)) return 0;
  size_t count = to.at;
  for (size_t i = from.piece; i < to.piece; ++i) count += pieces_[i].size();
  return count - from.at;
}

EntryRef SortedEntries::find(std::string_view key) const {
  const Place place = first_from(key);
  if (place == end() || (*this)[place]->key != key) return nullptr;
  return (*this)[place];
}

void SortedEntries::put(EntryRef entry) {
  Place place = first_from(entry->key);
  if (place != end() && (*this)[place]->key == entry->key) {
    pieces_[place.piece][place.at] = std::move(entry);
    return;
  }
  ++size_;
  if (place == end()) {
    if (pieces_.empty()) pieces_.emplace_back();
    place = {pieces_.size() - 1, pieces_.back().size()};
  }
  Piece& piece = pieces_[place.piece];
  piece.insert(piece.begin() + static_cast<ptrdiff_t>(place.at), std::move(entry));
  if (piece.size() <= kPieceEntriesMax) return;
  // Keys often arrive in order: then the left piece stays nearly full and is not touched again.
  const bool at_end = place.at + 1 == piece.size();
  const size_t keep = at_end ? kPieceEntriesMax - kPieceEntriesMax / 16 : piece.size() / 2;
  const auto middle = piece.begin() + static_cast<ptrdiff_t>(keep);
  Piece right(std::make_move_iterator(middle), std::make_move_iterator(piece.end()));
  piece.erase(middle, piece.end());
  pieces_.insert(pieces_.begin() + static_cast<ptrdiff_t>(place.piece) + 1, std::move(right));
}

void SortedEntries::erase(std::string_view key) {
  const Place place = first_from(key);
  if (place == end() || (*this)[place]->key != key) return;
  --size_;
  Piece& piece = pieces_[place.piece];
  piece.erase(piece.begin() + static_cast<ptrdiff_t>(place.at));
  if (piece.empty()) pieces_.erase(pieces_.begin() + static_cast<ptrdiff_t>(place.piece));
}

}  // namespace kinglet::store
