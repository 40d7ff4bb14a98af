#include "schema/apply.h"

#include <algorithm>
#include <set>

#include "schema/custom_kind.h"

namespace kinglet::schema {
namespace {

using Form = ApplyShape::Form;
using Path = std::vector<std::string>;

std::string_view key_of(const boost::json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

bool is_container(Form form) { return form != Form::leaf; }
bool is_list(Form form) { return form == Form::list_map || form == Form::list_set; }

bool is_empty(const json::Value* value) {
  if (!value || value->is_null()) return true;
  if (const auto* object = value->if_object()) return object->empty();
  const auto* array = value->if_array();
  return array && array->empty();
}

// The steps of a list's items; an item that has no step (a damaged stored object) gets its index.
std::vector<std::string> steps_of(const ApplyShape& shape, const json::Array& list) {
  std::vector<std::string> out;
  out.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    auto step = shape.step_of(list[i]);
    out.push_back(step ? std::move(*step) : fmt::format("i:{}", i));
  }
  return out;
}

size_t index_of(const std::vector<std::string>& steps, std::string_view step) {
  return static_cast<size_t>(std::find(steps.begin(), steps.end(), step) - steps.begin());
}

// --- the fields of a configuration ---

class Collector {
 public:
  Result<void> walk(const ApplyShape& shape, const json::Value& value) {
    const Form form = shape.form(value);
    if (!is_container(form) || is_empty(&value)) {
      if (!path_.empty()) set.insert(path_);
      return {};
    }
    if (is_list(form)) return list(shape, form, value.get_array());
    for (const auto& member : value.get_object()) {
      path_.push_back(field_step(key_of(member)));
      KL_CHECK_FN(walk(shape.member(key_of(member)), member.value()));
      path_.pop_back();
    }
    return {};
  }
  FieldSet set;

 private:
  Result<void> list(const ApplyShape& shape, Form form, const json::Array& items) {
    std::set<std::string> seen;
    for (const auto& item : items) {
      KL_TRY_FN(step, shape.step_of(item));
      if (!seen.insert(step).second)
        return Error(Code::bad_request, "duplicate entries for key [{}]", step.substr(2));
      path_.push_back(std::move(step));
      set.insert(path_);
      if (form == Form::list_map) KL_CHECK_FN(walk(shape.item(), item));
      path_.pop_back();
    }
    return {};
  }

  Path path_;
};

// --- differences ---

class Comparer {
 public:
  // Null pointers: absent.
  void walk(const ApplyShape& shape, const json::Value* before, const json::Value* after) {
    if (!before && !after) return;
    if (before && after && *before == *after) return;
    const Form was = before ? shape.form(*before) : Form::leaf;
    const Form is = after ? shape.form(*after) : Form::leaf;
    Form form = after && !after->is_null() ? is : was;
    // Null takes the form of the other side; two different forms are a changed leaf.
    const bool differ = before && after && !before->is_null() && !after->is_null() && was != is;
    if (differ || (is_empty(before) && is_empty(after))) form = Form::leaf;
    if (!is_container(form)) return leaf(before, after);
    if (is_list(form)) {
      list(shape, form, before, after);
    } else {
      map(shape, before, after);
    }
    if (!before) insert(changes.added);
    if (!after) insert(changes.removed);
  }
  FieldChanges changes;

 private:
  void insert(FieldSet& set) {
    if (!path_.empty()) set.insert(path_);
  }
  void leaf(const json::Value* before, const json::Value* after) {
    insert(!before ? changes.added : !after ? changes.removed : changes.modified);
  }

  void map(const ApplyShape& shape, const json::Value* before, const json::Value* after) {
    static const json::Object nothing;
    const auto& was = before && before->is_object() ? before->get_object() : nothing;
    const auto& is = after && after->is_object() ? after->get_object() : nothing;
    const auto descend = [&](std::string_view name, const json::Value* a, const json::Value* b) {
      path_.push_back(field_step(name));
      walk(shape.member(name), a, b);
      path_.pop_back();
    };
    for (const auto& member : was)
      descend(key_of(member), &member.value(), is.if_contains(member.key()));
    for (const auto& member : is)
      if (!was.contains(member.key())) descend(key_of(member), nullptr, &member.value());
  }

  void list(const ApplyShape& shape, Form form, const json::Value* before,
            const json::Value* after) {
    static const json::Array nothing;
    const auto& was = before && before->is_array() ? before->get_array() : nothing;
    const auto& is = after && after->is_array() ? after->get_array() : nothing;
    const auto old_steps = steps_of(shape, was);
    const auto new_steps = steps_of(shape, is);
    const auto descend = [&](const std::string& step, const json::Value* a, const json::Value* b) {
      path_.push_back(step);
      if (form == Form::list_map) {
        walk(shape.item(), a, b);
      } else if (!a || !b) {
        leaf(a, b);
      }
      path_.pop_back();
    };
    for (size_t i = 0; i < was.size(); ++i) {
      const size_t at = index_of(new_steps, old_steps[i]);
      descend(old_steps[i], &was[i], at < is.size() ? &is[at] : nullptr);
    }
    for (size_t i = 0; i < is.size(); ++i)
      if (index_of(old_steps, new_steps[i]) == was.size()) descend(new_steps[i], nullptr, &is[i]);
  }

  Path path_;
};

// --- merging ---

Result<json::Value> merge_at(const ApplyShape& shape, const json::Value* live,
                             const json::Value& applied);

// The applied order; what only the server has stays before the items that it stood before.
Result<json::Value> merge_list(const ApplyShape& shape, Form form, const json::Array& live,
                               const json::Array& applied) {
  std::vector<std::string> wanted;
  for (const auto& item : applied) {
    KL_TRY_FN(step, shape.step_of(item));
    wanted.push_back(std::move(step));
  }
  const auto have = steps_of(shape, live);
  json::Array out;
  size_t next = 0;
  const auto put_applied = [&]() -> Result<void> {
    const size_t at = index_of(have, wanted[next]);
    if (form == Form::list_map) {
      KL_TRY_FN(item,
                merge_at(shape.item(), at < live.size() ? &live[at] : nullptr, applied[next]));
      out.push_back(std::move(item));
    } else {
      out.push_back(applied[next]);
    }
    ++next;
    return {};
  };
  for (size_t i = 0; i < live.size(); ++i) {
    const size_t at = index_of(wanted, have[i]);
    if (at == wanted.size()) {
      out.push_back(live[i]);
      continue;
    }
    while (next <= at && next < wanted.size()) KL_CHECK_FN(put_applied());
  }
  while (next < wanted.size()) KL_CHECK_FN(put_applied());
  return json::Value(std::move(out));
}

Result<json::Value> merge_at(const ApplyShape& shape, const json::Value* live,
                             const json::Value& applied) {
  const Form form = shape.form(applied);
  if (!is_container(form)) return applied;
  if (is_list(form)) {
    static const json::Array nothing;
    const bool same = live && live->is_array();
    return merge_list(shape, form, same ? live->get_array() : nothing, applied.get_array());
  }
  json::Object out;
  if (live && live->is_object()) out = live->get_object();
  for (const auto& member : applied.get_object()) {
    const auto* now = out.if_contains(member.key());
    KL_TRY_FN(value, merge_at(shape.member(key_of(member)), now, member.value()));
    out[member.key()] = std::move(value);
  }
  return json::Value(std::move(out));
}

// Whether a path goes, which the last configuration had and the new one does not.
bool goes(const FieldSet& last, const FieldSet* owned, bool declared) {
  return (last.member || declared) && (!owned || owned->empty());
}

}  // namespace

// --- shapes ---

ApplyShape ApplyShape::of(const Resource& resource) {
  ApplyShape out;
  out.type_ = resource.type;
  out.custom_ = resource.custom ? &resource.custom->structural : nullptr;
  return out;
}

ApplyShape::Form ApplyShape::declared() const {
  if (custom_) {
    if (custom_->form == Structural::Form::object)
      return custom_->atomic_map ? Form::leaf : Form::map;
    if (custom_->form != Structural::Form::array) return Form::leaf;
    if (custom_->list_type == ListType::atomic) return Form::leaf;
    return custom_->list_type == ListType::set ? Form::list_set : Form::list_map;
  }
  if (deduced_) return Form::map;  // of what is an object
  if (!field_) return Form::map;
  const bool object = field_->kind == Kind::object && field_->type->form == JsonForm::object;
  if (!element_ && field_->cardinality == Cardinality::list) {
    if (field_->list_type == ListType::atomic) return Form::leaf;
    return field_->list_type == ListType::set ? Form::list_set : Form::list_map;
  }
  if (!element_ && field_->cardinality == Cardinality::map)
    return field_->atomic ? Form::leaf : Form::map;
  if (!object || field_->type->atomic || (field_->atomic && !element_)) return Form::leaf;
  return Form::map;
}

ApplyShape::Form ApplyShape::form(const json::Value& value) const {
  const Form wanted = custom_ && custom_->form == Structural::Form::any && value.is_object()
                          ? Form::map
                          : declared();
  if (value.is_object()) return wanted == Form::map ? Form::map : Form::leaf;
  if (value.is_array()) return is_list(wanted) ? wanted : Form::leaf;
  return Form::leaf;
}

ApplyShape ApplyShape::member(std::string_view name) const {
  ApplyShape out;
  // Of a custom resource the metadata is that of every object.
  if (type_ && name == "metadata") {
    out.field_ = type_->field(name);
    if (out.field_) return out;
  }
  if (custom_) {
    out.custom_ = custom_->member(name);
    out.deduced_ = !out.custom_;
    return out;
  }
  if (deduced_) {
    out.deduced_ = true;
    return out;
  }
  if (field_ && !element_ && field_->cardinality == Cardinality::map) {
    out.field_ = field_;
    out.element_ = true;
    return out;
  }
  const Type* type = type_ ? type_ : field_ ? field_->type : nullptr;
  out.field_ = type ? type->field(name) : nullptr;
  out.deduced_ = !out.field_;
  return out;
}

ApplyShape ApplyShape::item() const {
  ApplyShape out;
  if (custom_) {
    out.custom_ = custom_->items.get();
    out.deduced_ = !out.custom_;
  } else if (field_) {
    out.field_ = field_;
    out.element_ = true;
  } else {
    out.deduced_ = true;
  }
  return out;
}

bool ApplyShape::declares(std::string_view name) const {
  if (type_ && name == "metadata") return true;
  if (custom_) return custom_->properties.find(name) != custom_->properties.end();
  if (deduced_) return false;
  if (field_ && !element_ && field_->cardinality == Cardinality::map) return false;
  const Type* type = type_ ? type_ : field_ ? field_->type : nullptr;
  return type && type->field(name) != nullptr;
}

std::vector<std::string> ApplyShape::keys() const {
  if (custom_) return custom_->list_keys;
  std::vector<std::string> out;
  if (field_)
    for (const auto key : field_->list_keys) out.emplace_back(key);
  return out;
}

bool ApplyShape::is_key(std::string_view name) const {
  const auto names = keys();
  return std::find(names.begin(), names.end(), name) != names.end();
}

json::Value ApplyShape::key_default(std::string_view key) const {
  if (custom_) {
    const auto* field = custom_->items ? custom_->items->member(key) : nullptr;
    return field && field->default_value ? *field->default_value : json::Value();
  }
  const Field* field = field_ && field_->type ? field_->type->field(key) : nullptr;
  if (!field) return {};
  if (!field->default_json.empty()) {
    auto value = json::parse(field->default_json);
    if (value) return std::move(*value);
  }
  return {};
}

Result<std::string> ApplyShape::step_of(const json::Value& item) const {
  if (declared() == Form::list_set) {
    if (item.is_object() || item.is_array() || item.is_null())
      return Error(Code::bad_request, "items of a set must be scalars");
    return value_step(item);
  }
  if (!item.is_object())
    return Error(Code::bad_request, "associative list with keys may not have non-map elements");
  json::Object out;
  const auto& members = item.get_object();
  const auto names = keys();
  for (const auto& name : names) {
    const auto* value = members.if_contains(name);
    json::Value found = value && !value->is_null() ? *value : key_default(name);
    // A key that is left out is no part of the step, as long as another is there.
    if (!found.is_null()) out[name] = std::move(found);
  }
  if (out.empty())
    return Error(Code::bad_request,
                 "associative list with keys has an element that omits key field \"{}\" (and "
                 "doesn't have default value)",
                 names.empty() ? std::string() : names.front());
  return key_step(out);
}

// --- the four operations ---

Result<FieldSet> fields_of(const ApplyShape& shape, const json::Value& value) {
  Collector collector;
  KL_CHECK_FN(collector.walk(shape, value));
  return std::move(collector.set);
}

FieldChanges compare_fields(const ApplyShape& shape, const json::Value& before,
                            const json::Value& after) {
  Comparer comparer;
  comparer.walk(shape, &before, &after);
  return std::move(comparer.changes);
}

Result<json::Value> merge_applied(const ApplyShape& shape, const json::Value& live,
                                  const json::Value& applied) {
  return merge_at(shape, &live, applied);
}

namespace {

// `list`: of which the value is an item; null: of none.
void remove_at(const ApplyShape& shape, const ApplyShape* list, json::Value& value,
               const FieldSet& last, const FieldSet& owned) {
  static const FieldSet nothing;
  const Form form = shape.form(value);
  if (form == Form::map) {
    auto& object = value.get_object();
    for (const auto& [step, child] : last.children) {
      const std::string_view name = std::string_view(step).substr(2);
      // An item that stays keeps what it is known by.
      if (list && list->is_key(name)) continue;
      auto* member = object.if_contains(name);
      if (!member) continue;
      const FieldSet* theirs = owned.find(step);
      if (goes(child, theirs, shape.declares(name))) {
        object.stable_erase(object.find(name));
      } else {
        remove_at(shape.member(name), nullptr, *member, child, theirs ? *theirs : nothing);
      }
    }
  } else if (is_list(form)) {
    auto& items = value.get_array();
    const auto steps = steps_of(shape, items);
    json::Array kept;
    for (size_t i = 0; i < items.size(); ++i) {
      const FieldSet* child = last.find(steps[i]);
      const FieldSet* theirs = owned.find(steps[i]);
      if (child && goes(*child, theirs, false)) continue;
      if (child) remove_at(shape.item(), &shape, items[i], *child, theirs ? *theirs : nothing);
      kept.push_back(std::move(items[i]));
    }
    items = std::move(kept);
  }
}

}  // namespace

void remove_unowned(const ApplyShape& shape, json::Value& value, const FieldSet& last,
                    const FieldSet& owned) {
  remove_at(shape, nullptr, value, last, owned);
}

}  // namespace kinglet::schema
