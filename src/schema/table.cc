// Table cells: what `kubectl get` prints. Each kind's cells are in table_<area>.cc; here are the
// helpers they share.
#include <algorithm>

#include "base/clock.h"
#include "schema/codec.h"
#include "schema/internal/table_row.h"
#include "schema/values.h"

namespace kinglet::schema {

std::string short_age(int64_t seconds) {
  constexpr int64_t kMinute = 60, kHour = 3600, kDay = 24 * kHour, kYear = 365 * kDay;
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  const auto two_units = [](int64_t whole, char unit, int64_t rest, char rest_unit) {
    return rest == 0 ? fmt::format("{}{}", whole, unit)
                     : fmt::format("{}{}{}{}", whole, unit, rest, rest_unit);
  };
  if (seconds < 2 * kMinute) return fmt::format("{}s", seconds);
  if (seconds < 10 * kMinute) return two_units(seconds / kMinute, 'm', seconds % kMinute, 's');
  if (seconds < 3 * kHour) return fmt::format("{}m", seconds / kMinute);
  if (seconds < 8 * kHour) return two_units(seconds / kHour, 'h', seconds % kHour / kMinute, 'm');
  if (seconds < 2 * kDay) return fmt::format("{}h", seconds / kHour);
  if (seconds < 8 * kDay) return two_units(seconds / kDay, 'd', seconds % kDay / kHour, 'h');
  if (seconds < 2 * kYear) return fmt::format("{}d", seconds / kDay);
  if (seconds < 8 * kYear) return two_units(seconds / kYear, 'y', seconds % kYear / kDay, 'd');
  return fmt::format("{}y", seconds / kYear);
}

const json::Array& array_at(const json::Value& root, JsonPath path) {
  static const json::Array kEmpty;
  const auto* value = json::find(root, path);
  return value && value->is_array() ? value->get_array() : kEmpty;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::string join_some(const std::vector<std::string>& parts, std::string_view separator,
                      size_t listed) {
  if (parts.size() <= listed) return join(parts, separator);
  const std::vector<std::string> first(parts.begin(), parts.begin() + static_cast<long>(listed));
  return fmt::format("{} + {} more...", join(first, separator), parts.size() - listed);
}

std::string member_text(const json::Value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::print(value);
}

const json::Value* find_condition(const json::Value& object, std::string_view type) {
  for (const auto& condition : array_at(object, {"status", "conditions"}))
    if (json::text_at(condition, {"type"}) == type) return &condition;
  return nullptr;
}

bool condition_is(const json::Value& object, std::string_view type, std::string_view status) {
  const auto* condition = find_condition(object, type);
  return condition && json::text_at(*condition, {"status"}) == status;
}

int64_t seconds_of(std::string_view time) {
  const auto parsed = parse_rfc3339(std::string(time));
  if (!parsed) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(parsed->since_epoch).count();
}

std::string age_text(std::string_view time, int64_t now, std::string_view otherwise) {
  if (time.empty()) return std::string(otherwise);
  return short_age(now - seconds_of(time));
}

void TableRow::append_to_name(std::string_view suffix) {
  cells_.at(0) = member_text(cells_.at(0)) + std::string(suffix);
}

void TableRow::text(JsonPath path, std::string_view otherwise) {
  const auto* value = json::find(object_, path);
  const bool empty =
      !value || value->is_null() || (value->is_string() && value->get_string().empty());
  add(empty ? json::Value(otherwise) : json::Value(member_text(*value)));
}

void TableRow::integer(JsonPath path) { add(json::int_at(object_, path)); }

void TableRow::integer_text(JsonPath path, std::string_view otherwise) {
  const auto* value = json::find(object_, path);
  add(value && !value->is_null() ? json::Value(member_text(*value)) : json::Value(otherwise));
}

void TableRow::boolean(JsonPath path, bool otherwise) {
  add(json::bool_at(object_, path, otherwise));
}

namespace {
int64_t size_at(const json::Value& object, JsonPath path) {
  const auto* value = json::find(object, path);
  if (value && value->is_array()) return static_cast<int64_t>(value->get_array().size());
  if (value && value->is_object()) return static_cast<int64_t>(value->get_object().size());
  return 0;
}
}  // namespace

void TableRow::count(JsonPath path) { add(size_at(object_, path)); }
void TableRow::count_text(JsonPath path) {
  add(json::Value(std::to_string(size_at(object_, path))));
}

void TableRow::age() { age_of({"metadata", "creationTimestamp"}, kUnknown); }
void TableRow::age_of(JsonPath path, std::string_view otherwise) {
  add(json::Value(age_text(json::text_at(object_, path), now_, otherwise)));
}

void TableRow::containers(JsonPath pod_spec) {
  std::vector<std::string> names, images;
  if (const auto* spec = json::find(object_, pod_spec)) {
    for (const auto& container : array_at(*spec, {"containers"})) {
      names.emplace_back(json::text_at(container, {"name"}));
      images.emplace_back(json::text_at(container, {"image"}));
    }
  }
  add(json::Value(join(names, ",")));
  add(json::Value(join(images, ",")));
}

void TableRow::label_selector(JsonPath path) {
  const auto* value = json::find(object_, path);
  if (!value || value->is_null()) return add(json::Value(kNone));
  const auto selector = Selector::from_object(*value);
  if (!selector) return add(json::Value("<error>"));
  const auto text = selector->text();
  add(text.empty() ? json::Value(kNone) : json::Value(text));
}

void TableRow::label_map(JsonPath path) {
  std::vector<std::string> parts;
  const auto* value = json::find(object_, path);
  if (value && value->is_object())
    for (const auto& [key, member] : value->get_object())
      parts.push_back(fmt::format("{}={}", std::string_view(key), member_text(member)));
  std::sort(parts.begin(), parts.end());
  add(parts.empty() ? json::Value(kNone) : json::Value(join(parts, ",")));
}

void TableRow::items(JsonPath path, std::string_view separator, std::string_view otherwise) {
  std::vector<std::string> parts;
  for (const auto& item : array_at(object_, path)) parts.push_back(member_text(item));
  add(parts.empty() ? json::Value(otherwise) : json::Value(join(parts, separator)));
}

json::Array table_cells(const Resource& resource, const json::Value& object, int64_t now_seconds) {
  TableRow row(object, now_seconds);
  const bool event = resource.plural == "events";  // the one kind whose name is its last column
  if (!event) row.text({"metadata", "name"});
  const bool known = workload_cells(resource.group, resource.plural, row) ||
                     network_cells(resource.group, resource.plural, row) ||
                     storage_cells(resource.group, resource.plural, row) ||
                     policy_cells(resource.group, resource.plural, row) ||
                     cluster_cells(resource.group, resource.plural, row);
  auto cells = row.take();
  if (!known)
    cells.emplace_back(
        json::text_at(object, {"metadata", "creationTimestamp"}));  // the generic table
  cells.resize(resource.columns.size());
  return cells;
}

}  // namespace kinglet::schema
