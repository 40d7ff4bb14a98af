#include "controllers/internal/index_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace kinglet::controllers {
namespace {
std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}
}  // namespace

IndexSet IndexSet::parse(std::string_view text, int limit) {
  IndexSet set;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t dash = part.find('-');
    const auto first = number(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
    if (!first || !last || *last < *first || *first >= limit) continue;
    const Run run{*first, std::min(*last, limit - 1)};
    // Ours are in order; a text that is not loses what comes back.
    if (!set.runs_.empty() && run.first <= set.runs_.back().last) continue;
    if (!set.runs_.empty() && run.first == set.runs_.back().last + 1)
      set.runs_.back().last = run.last;
    else
      set.runs_.push_back(run);
  }
  return set;
}

void IndexSet::add(int index) {
  auto next = std::lower_bound(runs_.begin(), runs_.end(), index, [](const Run& run, int i) { return run.last < i; });
  if (next != runs_.end() && next->first <= index) return;
  const bool joins_next = next != runs_.end() && next->first == index + 1;
  const bool joins_before = next != runs_.begin() && std::prev(next)->last == index - 1;
  if (joins_before && joins_next) {
    std::prev(next)->last = next->last;
    runs_.erase(next);
  } else if (joins_before) {
    std::prev(next)->last = index;
  } else if (joins_next) {
    next->first = index;
  } else {
    runs_.insert(next, Run{index, index});
  }
}

bool IndexSet::contains(int index) const {
  const auto at = std::lower_bound(runs_.begin(), runs_.end(), index, [](const Run& run, int i) { return run.last < i; });
  return at != runs_.end() && at->first <= index;
}

int IndexSet::total() const {
  int sum = 0;
  for (const auto& run : runs_) sum += run.last - run.first + 1;
  return sum;
}

int IndexSet::common(const IndexSet& other) const {
  int sum = 0;
  for (const auto& a : runs_)
    for (const auto& b : other.runs_) sum += std::max(0, std::min(a.last, b.last) - std::max(a.first, b.first) + 1);
  return sum;
}

std::string IndexSet::text() const {
  std::string out;
  for (const auto& run : runs_) {
    if (!out.empty()) out += ',';
    out += run.first == run.last ? fmt::format("{}", run.first) : fmt::format("{}-{}", run.first, run.last);
  }
  return out;
}

}  // namespace kinglet::controllers
