// A set of completion indexes as a Job's status writes it: "0-2,4,7-9".
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::controllers {

class IndexSet {
 public:
  // Indexes from `limit` on are left out, as is what makes no sense: the text comes from a status that anybody may
  // have written, and a job must go on.
  static IndexSet parse(std::string_view text, int limit);

  void add(int index);
  bool contains(int index) const;
  int total() const;
  bool empty() const { return runs_.empty(); }
  // How many of `other` are in this.
  int common(const IndexSet& other) const;
  std::string text() const;
  bool operator==(const IndexSet&) const = default;

 private:
  struct Run {
    int first, last;
    bool operator==(const Run&) const = default;
  };
  std::vector<Run> runs_;  // ascending, apart by at least one
};

}  // namespace kinglet::controllers
