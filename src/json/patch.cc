// RFC 6902 (JSON Patch) and RFC 7386 (merge patch). Messages are those of the library that the real
// server uses.
#include <charconv>
#include <span>

#include "json/json.h"

namespace kinglet::json {
namespace {

// What all `copy` operations of one patch may add: otherwise each one could double the document.
constexpr size_t kCopyBytesMax = 3 * 1024 * 1024;

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

using Tokens = std::vector<std::string>;

Result<Tokens> split_pointer(std::string_view pointer) {
  Tokens tokens;
  if (pointer.empty()) return tokens;
  if (pointer.front() != '/')
    return Error(Code::invalid, "path \"{}\" does not start with a slash", pointer);
  for (size_t at = 0; at != std::string_view::npos;) {
    const size_t next = pointer.find('/', at + 1);
    std::string_view raw =
        pointer.substr(at + 1, next == std::string_view::npos ? next : next - at - 1);
    std::string token;
    for (size_t i = 0; i < raw.size(); ++i) {
      const bool escape =
          raw[i] == '~' && i + 1 < raw.size() && (raw[i + 1] == '0' || raw[i + 1] == '1');
      token += escape ? (raw[++i] == '0' ? '~' : '/') : raw[i];
    }
    tokens.push_back(std::move(token));
    // Also bounds the depth that an `add` can reach: the document below stays within kDepthMax.
    if (tokens.size() > kDepthMax)
      return Error(Code::invalid, "path \"{}\" is too deep", pointer.substr(0, 200));
    at = next;
  }
  return tokens;
}

// An array index below `size`; nothing when the token is no such number.
std::optional<size_t> parse_index(std::string_view token, size_t size) {
  size_t index = 0;
  const auto [end, failed] = std::from_chars(token.data(), token.data() + token.size(), index);
  const bool leading_zero = token.size() > 1 && token.front() == '0';
  if (failed != std::errc() || end != token.data() + token.size() || leading_zero || index >= size)
    return {};
  return index;
}

Value* step(Value& at, const std::string& token) {
  if (Object* object = at.if_object()) return object->if_contains(token);
  if (Array* array = at.if_array()) {
    const auto index = parse_index(token, array->size());
    return index ? &(*array)[*index] : nullptr;
  }
  return nullptr;
}

Value* resolve(Value& root, std::span<const std::string> tokens) {
  Value* at = &root;
  for (const std::string& token : tokens) {
    at = step(*at, token);
    if (at == nullptr) return nullptr;
  }
  return at;
}

size_t depth_of(const Value& value) {
  size_t deepest = 0;
  if (const Array* array = value.if_array()) {
    for (const Value& item : *array) deepest = std::max(deepest, depth_of(item));
    return deepest + 1;
  }
  if (const Object* object = value.if_object()) {
    for (const auto& member : *object) deepest = std::max(deepest, depth_of(member.value()));
    return deepest + 1;
  }
  return 0;
}

Error bad_index(std::string_view token) {
  return Error(Code::invalid, "Unable to access invalid index: {}: invalid index referenced",
               token);
}

class Patcher {
 public:
  explicit Patcher(Value& root) : root_(root) {}

  Result<void> apply(const Value& operation) {
    const std::string_view op = text_at(operation, {"op"});
    const Value* path = find(operation, {"path"});
    if (!operation.is_object() || path == nullptr || !path->is_string())
      return Error(Code::bad_request, "operation missing path field: missing value");
    const std::string_view pointer = view(path->get_string());
    if (op == "add")
      return with_value(operation, [&](Value v) { return add(op, pointer, std::move(v)); });
    if (op == "replace")
      return with_value(operation, [&](Value v) { return replace(pointer, std::move(v)); });
    if (op == "test") return test(pointer, find(operation, {"value"}));
    if (op == "remove") {
      KL_TRY_FN(taken, take(op, pointer));
      (void)taken;
      return {};
    }
    if (op == "move" || op == "copy") {
      const Value* from = find(operation, {"from"});
      if (from == nullptr || !from->is_string())
        return Error(Code::bad_request, "operation missing from field: missing value");
      return op == "move" ? move(view(from->get_string()), pointer)
                          : copy(view(from->get_string()), pointer);
    }
    return Error(Code::bad_request, "Unexpected kind: {}", op.empty() ? "unknown" : op);
  }

 private:
  template <class Then>
  Result<void> with_value(const Value& operation, Then then) {
    const Value* value = find(operation, {"value"});
    if (value == nullptr)
      return Error(Code::bad_request, "operation missing value field: missing value");
    return then(*value);
  }

  Result<void> add(std::string_view op, std::string_view pointer, Value value) {
    KL_TRY_FN(tokens, split_pointer(pointer));
    if (tokens.size() + depth_of(value) > kDepthMax)
      return Error(Code::invalid,
                   "{} operation does not apply: the result is deeper than {} levels", op,
                   kDepthMax);
    if (tokens.empty()) {
      root_ = std::move(value);
      return {};
    }
    Value* parent = resolve(root_, std::span(tokens).first(tokens.size() - 1));
    const std::string& last = tokens.back();
    if (parent != nullptr && parent->is_object()) {
      parent->get_object()[last] = std::move(value);
      return {};
    }
    if (parent == nullptr || !parent->is_array())
      return Error(Code::invalid,
                   "{} operation does not apply: doc is missing path: \"{}\": missing value", op,
                   pointer);
    Array& array = parent->get_array();
    if (last == "-") {
      array.push_back(std::move(value));
      return {};
    }
    const auto index = parse_index(last, array.size() + 1);
    if (!index) return bad_index(last);
    array.insert(array.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return {};
  }

  Result<void> replace(std::string_view pointer, Value value) {
    KL_TRY_FN(tokens, split_pointer(pointer));
    if (tokens.size() + depth_of(value) > kDepthMax)
      return Error(Code::invalid,
                   "replace operation does not apply: the result is deeper than {} levels",
                   kDepthMax);
    Value* target = resolve(root_, tokens);
    if (target == nullptr)
      return Error(Code::invalid,
                   "replace operation does not apply: doc is missing key: {}: missing value",
                   pointer);
    *target = std::move(value);
    return {};
  }

  Result<void> test(std::string_view pointer, const Value* wanted) {
    KL_TRY_FN(tokens, split_pointer(pointer));
    const Value* found = resolve(root_, tokens);
    // A missing member equals null, as upstream has it.
    const Value absent;
    if ((found != nullptr ? *found : absent) == (wanted != nullptr ? *wanted : absent)) return {};
    return Error(Code::invalid, "testing value {} failed: test failed", pointer);
  }

  // Removes and returns what is at `pointer`.
  Result<Value> take(std::string_view op, std::string_view pointer) {
    KL_TRY_FN(tokens, split_pointer(pointer));
    if (tokens.empty())
      return Error(Code::invalid, "{} operation does not apply: the whole document cannot go", op);
    Value* parent = resolve(root_, std::span(tokens).first(tokens.size() - 1));
    const std::string& last = tokens.back();
    if (parent != nullptr && parent->is_object()) {
      Object& object = parent->get_object();
      const auto it = object.find(last);
      if (it == object.end())
        return Error(
            Code::invalid,
            "error in {} for path: '{}': Unable to remove nonexistent key: {}: missing value", op,
            pointer, last);
      Value taken = std::move(it->value());
      object.stable_erase(it);
      return taken;
    }
    if (parent == nullptr || !parent->is_array())
      return Error(Code::invalid,
                   "{} operation does not apply: doc is missing path: \"{}\": missing value", op,
                   pointer);
    Array& array = parent->get_array();
    const auto index = parse_index(last, array.size());
    if (!index) return bad_index(last);
    Value taken = std::move(array[*index]);
    array.erase(array.begin() + static_cast<std::ptrdiff_t>(*index));
    return taken;
  }

  Result<void> move(std::string_view from, std::string_view to) {
    if (from == to) return {};
    if (to.size() > from.size() && to.starts_with(from) && to[from.size()] == '/')
      return Error(Code::invalid, "move operation does not apply: \"{}\" is inside \"{}\"", to,
                   from);
    KL_TRY_FN(taken, take("move", from));
    return add("move", to, std::move(taken));
  }

  Result<void> copy(std::string_view from, std::string_view to) {
    KL_TRY_FN(tokens, split_pointer(from));
    const Value* source = resolve(root_, tokens);
    if (source == nullptr)
      return Error(Code::invalid,
                   "copy operation does not apply: doc is missing from path: \"{}\": missing value",
                   from);
    copied_bytes_ += print(*source).size();
    if (copied_bytes_ > kCopyBytesMax)
      return Error(Code::invalid,
                   "Unable to complete the copy, the accumulated size increase of copy is {}, "
                   "exceeding the limit {}",
                   copied_bytes_, kCopyBytesMax);
    return add("copy", to, *source);
  }

  Value& root_;
  size_t copied_bytes_ = 0;
};

}  // namespace

Result<void> apply_json_patch(Value& target, const Value& patch) {
  const Array* operations = patch.if_array();
  if (operations == nullptr)
    return Error(Code::bad_request,
                 "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
                 patch.is_object()   ? "object"
                 : patch.is_string() ? "string"
                                     : "value");
  if (operations->size() > kJsonPatchOperationsMax)
    return Error(Code::too_large, "The allowed maximum operations in a JSON patch is {}, got {}",
                 kJsonPatchOperationsMax, operations->size());
  // On a copy: a patch applies as a whole or not at all.
  Value work = target;
  Patcher patcher(work);
  for (const Value& operation : *operations) KL_CHECK_FN(patcher.apply(operation));
  target = std::move(work);
  return {};
}

void apply_merge_patch(Value& target, const Value& patch) {
  const Object* changes = patch.if_object();
  if (changes == nullptr) {
    target = patch;
    return;
  }
  if (!target.is_object()) target.emplace_object();
  Object& object = target.get_object();
  for (const auto& change : *changes) {
    if (change.value().is_null()) {
      const auto it = object.find(change.key());
      if (it != object.end()) object.stable_erase(it);
      continue;
    }
    apply_merge_patch(object[change.key()], change.value());
  }
}

}  // namespace kinglet::json
