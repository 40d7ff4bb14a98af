// Strategic merge patch, as k8s.io/apimachinery strategicpatch applies one to an object: lists
// merge by their merge key where the tables say so, and the directives $patch, $retainKeys,
// $setElementOrder and $deleteFromPrimitiveList work at every depth. Lists are handled in
// merge_list.cc.
#include "schema/codec.h"
#include "schema/internal/merge_list.h"

namespace kinglet::schema {
namespace {

constexpr std::string_view kPatch = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kSetElementOrder = "$setElementOrder/";
constexpr std::string_view kDeleteFromList = "$deleteFromPrimitiveList/";

bool is_directive(std::string_view key) {
  return key == kPatch || key == kRetainKeys || key.starts_with(kSetElementOrder) ||
         key.starts_with(kDeleteFromList);
}

// Removes from `target` what $retainKeys does not name; the patch may only set retained keys.
Result<void> retain_keys(json::Object& target, const json::Object& patch) {
  const auto* keys = patch.if_contains(kRetainKeys);
  if (!keys) return {};
  if (!keys->is_array()) return Error(Code::bad_request, "$retainKeys must be a list of strings");
  const auto retained = [&](std::string_view key) {
    for (const auto& k : keys->get_array())
      if (k.is_string() && k.get_string() == key) return true;
    return false;
  };
  for (const auto& [key, value] : patch)
    if (!is_directive(key) && !value.is_null() && !retained(key))
      return Error(Code::bad_request,
                   "invalid patch format of retainKeys: {} is set but not retained",
                   std::string_view(key));
  json::Object out;
  for (auto& [key, value] : target)
    if (retained(key)) out[key] = std::move(value);
  target = std::move(out);
  return {};
}

// $deleteFromPrimitiveList/x: takes the values out of the list x.
Result<void> delete_from_list(json::Object& target, std::string_view name,
                              const json::Value& values) {
  if (!values.is_array())
    return Error(Code::bad_request,
                 "invalid patch format of primitive list: $deleteFromPrimitiveList/{} is no list",
                 name);
  auto* list = target.if_contains(name);
  if (!list || !list->is_array()) return {};
  json::Array kept;
  for (auto& item : list->get_array())
    if (find_item(values.get_array(), item, {}) < 0) kept.push_back(std::move(item));
  *list = std::move(kept);
  return {};
}

// $setElementOrder/x: merges the lists and brings the result into the given order. Returns whether
// the patch's own list x is used up by that.
Result<void> order_list(const Shape& shape, json::Object& target, const json::Object& patch,
                        std::string_view name, const json::Value& order) {
  if (!order.is_array())
    return Error(Code::bad_request, "$setElementOrder/{} must be a list", name);
  auto* have = target.if_contains(name);
  const auto* wanted = patch.if_contains(name);
  if (wanted && wanted->is_null()) return {};
  if ((have && !have->is_array()) || (wanted && !wanted->is_array()))
    return Error(Code::bad_request, "$setElementOrder/{} names a field that is no list", name);
  if (!have && !wanted) return {};
  const Shape element = shape.member(name);
  if (wanted) KL_CHECK_FN(check_order(wanted->get_array(), order.get_array(), element.merge_key()));
  const json::Array original = have ? have->get_array() : json::Array();
  json::Array merged = original;
  if (wanted) {
    KL_TRY_FN(list, merge_lists(element, original, wanted->get_array()));
    merged = std::move(list);
  }
  target[name] = order_items(merged, order.get_array(), original, element.merge_key());
  return {};
}

Result<void> merge_member(const Shape& shape, json::Object& target, std::string_view key,
                          const json::Value& value) {
  if (value.is_null()) {
    target.erase(key);
    return {};
  }
  const Shape member = shape.member(key);
  auto* have = target.if_contains(key);
  if (have && have->is_object() && value.is_object() && !member.replaces()) {
    KL_TRY_FN(merged, merge_objects(member, std::move(have->get_object()), value.get_object()));
    *have = std::move(merged);
    return {};
  }
  if (have && have->is_array() && value.is_array() && member.merges_list()) {
    KL_TRY_FN(merged, merge_lists(member, have->get_array(), value.get_array()));
    *have = std::move(merged);
    return {};
  }
  target[key] = without_directives(value);
  return {};
}

}  // namespace

Shape Shape::member(std::string_view name) const {
  if (inside_map_ && field_) return Shape(field_, false);
  const Type* type = field_ ? (field_->kind == Kind::object ? field_->type : nullptr) : type_;
  const Field* field = type ? type->field(name) : nullptr;
  return Shape(field, field && field->cardinality == Cardinality::map);
}

Shape Shape::item() const { return Shape(field_, false); }
std::string_view Shape::merge_key() const {
  return field_ ? field_->merge_key : std::string_view();
}
bool Shape::merges_list() const { return field_ && field_->patch_merge; }
bool Shape::replaces() const {
  if (!field_ || field_->cardinality != Cardinality::one) return false;
  return field_->patch_replace || (field_->type && field_->type->form != JsonForm::object);
}

json::Value without_directives(const json::Value& value) {
  if (value.is_array()) {
    json::Array out;
    for (const auto& item : value.get_array()) {
      const auto* directive = item.is_object() ? item.get_object().if_contains(kPatch) : nullptr;
      if (directive && item.get_object().size() == 1) continue;
      if (directive && directive->is_string() && directive->get_string() == "delete") continue;
      out.push_back(without_directives(item));
    }
    return out;
  }
  if (!value.is_object()) return value;
  json::Object out;
  for (const auto& [key, member] : value.get_object())
    if (!is_directive(key) && !member.is_null()) out[key] = without_directives(member);
  return out;
}

Result<json::Object> merge_objects(const Shape& shape, json::Object target,
                                   const json::Object& patch) {
  if (const auto* directive = patch.if_contains(kPatch)) {
    const std::string_view what =
        directive->is_string() ? std::string_view(directive->get_string()) : "?";
    if (what == "delete") return json::Object();
    if (what == "replace") return std::move(without_directives(patch).get_object());
    return Error(Code::bad_request, "unknown patch type: {} in map", what);
  }
  KL_CHECK_FN(retain_keys(target, patch));
  for (const auto& [key, value] : patch)
    if (key.starts_with(kSetElementOrder))
      KL_CHECK_FN(order_list(shape, target, patch,
                             std::string_view(key).substr(kSetElementOrder.size()), value));
  for (const auto& [key, value] : patch) {
    const std::string_view name = key;
    if (name.starts_with(kDeleteFromList)) {
      KL_CHECK_FN(delete_from_list(target, name.substr(kDeleteFromList.size()), value));
      continue;
    }
    if (is_directive(name)) continue;
    const bool ordered = patch.contains(std::string(kSetElementOrder) + std::string(name));
    if (ordered && value.is_array()) continue;  // order_list merged it
    KL_CHECK_FN(merge_member(shape, target, name, value));
  }
  return target;
}

Result<json::Value> strategic_merge(const Type& type, const json::Value& original,
                                    const json::Value& patch) {
  if (!original.is_object() || !patch.is_object())
    return Error(Code::bad_request, "a strategic merge patch and its target must be objects");
  KL_TRY_FN(merged, merge_objects(Shape(type), original.get_object(), patch.get_object()));
  return json::Value(std::move(merged));
}

}  // namespace kinglet::schema
