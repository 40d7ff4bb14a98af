#include "schema/internal/merge_list.h"

#include <algorithm>

namespace kinglet::schema {
namespace {

std::string_view directive_of(const json::Value& item) {
  const auto* directive = item.is_object() ? item.get_object().if_contains("$patch") : nullptr;
  if (!directive) return {};
  return directive->is_string() ? std::string_view(directive->get_string()) : std::string_view("?");
}

const json::Value* key_of(const json::Value& item, std::string_view merge_key) {
  return item.is_object() ? item.get_object().if_contains(merge_key) : nullptr;
}

Error no_merge_key(const json::Value& item, std::string_view merge_key) {
  return Error(Code::bad_request, "map: {} does not contain declared merge key: {}",
               json::print(item), merge_key);
}

bool has_objects(const json::Array& list) {
  return std::any_of(list.begin(), list.end(), [](const json::Value& v) { return v.is_object(); });
}

json::Array merge_scalars(const json::Array& original, const json::Array& patch) {
  json::Array out;
  for (const auto* list : {&original, &patch})
    for (const auto& item : *list)
      if (find_item(out, item, {}) < 0) out.push_back(item);
  return out;
}

struct Lists {
  json::Array original, patch;
};

// Carries out the `$patch` items of a list: what is left is plain.
Result<Lists> apply_directives(const json::Array& original, const json::Array& patch,
                               std::string_view merge_key) {
  Lists out{original, {}};
  bool replace = false;
  for (const auto& item : patch) {
    const auto directive = directive_of(item);
    if (directive.empty()) {
      out.patch.push_back(item);
    } else if (directive == "replace") {
      replace = true;
    } else if (directive == "delete") {
      if (!key_of(item, merge_key)) return no_merge_key(item, merge_key);
      for (int64_t at; (at = find_item(out.original, item, merge_key)) >= 0;)
        out.original.erase(out.original.begin() + at);
    } else {
      return Error(Code::bad_request, "unknown patch type: {} in list", directive);
    }
  }
  if (replace) out.original = json::Array();
  return out;
}

}  // namespace

int64_t find_item(const json::Array& list, const json::Value& item, std::string_view merge_key) {
  const auto* wanted = merge_key.empty() ? &item : key_of(item, merge_key);
  if (!wanted) return -1;
  for (size_t i = 0; i < list.size(); ++i) {
    const auto* have = merge_key.empty() ? &list[i] : key_of(list[i], merge_key);
    if (have && *have == *wanted) return static_cast<int64_t>(i);
  }
  return -1;
}

json::Array order_items(const json::Array& items, const json::Array& order,
                        const json::Array& server, std::string_view merge_key) {
  std::vector<std::pair<int64_t, const json::Value*>> ordered, others;
  for (const auto& item : items) {
    const int64_t at = find_item(order, item, merge_key);
    if (at >= 0) {
      ordered.emplace_back(at, &item);
    } else {
      others.emplace_back(find_item(server, item, merge_key), &item);
    }
  }
  const auto by_place = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(ordered.begin(), ordered.end(), by_place);
  std::stable_sort(others.begin(), others.end(), by_place);
  // An item that only the server has goes before the first ordered one that it preceded there.
  json::Array out;
  out.reserve(items.size());
  size_t next = 0;
  for (const auto& [place, item] : ordered) {
    const int64_t there = find_item(server, *item, merge_key);
    for (; next < others.size() && there >= 0 && others[next].first >= 0 &&
           others[next].first < there;
         ++next)
      out.push_back(*others[next].second);
    out.push_back(*item);
  }
  for (; next < others.size(); ++next) out.push_back(*others[next].second);
  return out;
}

Result<void> check_order(const json::Array& patch, const json::Array& order,
                         std::string_view merge_key) {
  int64_t last = -1;
  for (const auto& item : patch) {
    if (!directive_of(item).empty()) continue;
    const int64_t at = find_item(order, item, merge_key);
    if (at < 0 || at < last)
      return Error(Code::bad_request,
                   "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
                   json::print(patch), json::print(order));
    last = at;
  }
  return {};
}

Result<json::Array> merge_lists(const Shape& list, const json::Array& original,
                                const json::Array& patch) {
  if (!list.merges_list()) return std::move(without_directives(patch).get_array());
  const auto merge_key = list.merge_key();
  if (!has_objects(patch) && !has_objects(original))
    return order_items(merge_scalars(original, patch), patch, original, {});
  if (merge_key.empty()) return Error(Code::bad_request, "cannot merge lists without merge key");
  KL_TRY_FN(lists, apply_directives(original, patch, merge_key));
  json::Array merged = lists.original;
  for (const auto& item : lists.patch) {
    if (!key_of(item, merge_key)) return no_merge_key(item, merge_key);
    const int64_t at = find_item(merged, item, merge_key);
    if (at < 0) {
      merged.push_back(without_directives(item));
      continue;
    }
    auto& target = merged[static_cast<size_t>(at)].get_object();  // it has the merge key
    KL_TRY_FN(object, merge_objects(list.item(), std::move(target), item.get_object()));
    merged[static_cast<size_t>(at)] = std::move(object);
  }
  return order_items(merged, lists.patch, original, merge_key);
}

}  // namespace kinglet::schema
