#include "schema/field_set.h"

#include <algorithm>
#include <vector>

namespace kinglet::schema {
namespace {

// A step that stands for itself in a path; FieldsV1 writes the path's own membership as ".".
constexpr std::string_view kSelf = ".";

json::Object sorted(const json::Object& keys) {
  std::vector<const boost::json::key_value_pair*> members;
  for (const auto& member : keys) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return a->key() < b->key(); });
  json::Object out;
  for (const auto* member : members) out.emplace(member->key(), member->value());
  return out;
}

// The step as we spell it, so that equal steps are equal texts.
Result<std::string> canonical_step(std::string_view step) {
  const auto wrong = [&] {
    return Error(Code::bad_request, "\"{}\" is no step of a field path", step);
  };
  if (step.size() < 2 || step[1] != ':') return wrong();
  const auto rest = step.substr(2);
  switch (step[0]) {
    case 'f':
      return std::string(step);
    case 'k': {
      const auto keys = json::parse(rest);
      if (!keys || !keys->is_object()) return wrong();
      return key_step(keys->get_object());
    }
    case 'v': {
      const auto value = json::parse(rest);
      if (!value) return wrong();
      return value_step(*value);
    }
    case 'i':
      if (rest.empty() || rest.find_first_not_of("0123456789") != rest.npos) return wrong();
      return std::string(step);
    default:
      return wrong();
  }
}

std::string readable(std::string_view step) {
  const auto rest = step.substr(2);
  if (step[0] == 'f') return "." + std::string(rest);
  if (step[0] == 'i') return fmt::format("[{}]", rest);
  if (step[0] == 'v') return fmt::format("[={}]", rest);
  std::string out;
  const auto keys = json::parse(rest);
  if (keys && keys->is_object())
    for (const auto& member : keys->get_object())
      out += fmt::format("{}{}={}", out.empty() ? "" : ",", std::string_view(member.key()),
                         json::print(member.value()));
  return "[" + out + "]";
}

void walk(const FieldSet& set, const std::string& path,
          const std::function<void(const std::string&)>& each) {
  if (set.member) each(path);
  for (const auto& [step, child] : set.children) walk(child, path + readable(step), each);
}

Result<FieldSet> parse_at(const json::Value& fields, size_t depth) {
  if (!fields.is_object() || depth > json::kDepthMax)
    return Error(Code::bad_request, "fieldsV1 must be an object of objects");
  FieldSet out;
  const auto& object = fields.get_object();
  out.member = object.empty();
  for (const auto& member : object) {
    const std::string_view step(member.key().data(), member.key().size());
    if (step == kSelf) {
      out.member = true;
      continue;
    }
    KL_TRY_FN(key, canonical_step(step));
    KL_TRY_FN(child, parse_at(member.value(), depth + 1));
    out.children[key].add(child);
  }
  return out;
}

}  // namespace

std::string field_step(std::string_view name) { return "f:" + std::string(name); }
std::string key_step(const json::Object& keys) { return "k:" + json::print(sorted(keys)); }
std::string value_step(const json::Value& value) { return "v:" + json::print(value); }

void FieldSet::insert(std::span<const std::string> path) {
  FieldSet* at = this;
  for (const auto& step : path) at = &at->children[step];
  at->member = true;
}

const FieldSet* FieldSet::find(std::string_view step) const {
  const auto found = children.find(step);
  return found == children.end() ? nullptr : &found->second;
}

void FieldSet::add(const FieldSet& other) {
  member = member || other.member;
  for (const auto& [step, child] : other.children) children[step].add(child);
}

void FieldSet::subtract(const FieldSet& other) {
  if (other.member) member = false;
  for (const auto& [step, child] : other.children) {
    const auto found = children.find(step);
    if (found == children.end()) continue;
    found->second.subtract(child);
    if (found->second.empty()) children.erase(found);
  }
}

FieldSet FieldSet::common(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [step, child] : children) {
    const FieldSet* theirs = other.find(step);
    if (!theirs) continue;
    FieldSet both = child.common(*theirs);
    if (!both.empty()) out.children.emplace(step, std::move(both));
  }
  return out;
}

void FieldSet::drop(std::span<const std::string_view> path) {
  if (path.empty()) return;
  const auto found = children.find(path.front());
  if (found == children.end()) return;
  if (path.size() == 1) {
    children.erase(found);
    return;
  }
  found->second.drop(path.subspan(1));
  if (found->second.empty()) children.erase(found);
}

Result<FieldSet> FieldSet::parse(const json::Value& fields) {
  KL_TRY_FN(set, parse_at(fields, 0));
  set.member = false;  // of the root there is nothing to say
  return set;
}

json::Value FieldSet::json() const {
  json::Object out;
  if (member && !children.empty()) out[kSelf] = json::Object();
  for (const auto& [step, child] : children) out[step] = child.json();
  return out;
}

void FieldSet::each_path(const std::function<void(const std::string&)>& each) const {
  walk(*this, "", each);
}

}  // namespace kinglet::schema
