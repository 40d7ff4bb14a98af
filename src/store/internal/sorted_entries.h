// SortedEntries: the newest entry of every key, in key order. A sorted array in pieces: 16 bytes
// per entry beside the entry itself (a tree has 64), scans that run through memory, inserts that
// move a few kilobytes.
#pragma once
#include <string_view>
#include <vector>

#include "store/store.h"

namespace kinglet::store {

class SortedEntries {
 public:
  // A place between two entries; any change of the container makes it worthless.
  struct Place {
    size_t piece = 0, at = 0;
    bool operator==(const Place&) const = default;
  };

  EntryRef find(std::string_view key) const;
  void put(EntryRef entry);  // adds or replaces
  void erase(std::string_view key);
  size_t size() const { return size_; }

  Place first_from(std::string_view key) const;    // the first entry with a key >= `key`
  Place first_beyond(std::string_view key) const;  // > `key`
  Place end_of_prefix(std::string_view prefix) const;
  const EntryRef& operator[](Place place) const { return pieces_[place.piece][place.at]; }
  Place next(Place place) const;
  size_t distance(Place from, Place to) const;

 private:
  using Piece = std::vector<EntryRef>;
  static constexpr size_t kPieceEntriesMax = 256;
  Place end() const { return {pieces_.size(), 0}; }
  Place normal(Place place) const;
  std::vector<Piece> pieces_;  // none is empty
  size_t size_ = 0;
};

}  // namespace kinglet::store
