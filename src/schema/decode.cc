#include "schema/codec.h"
#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

// As many as the real server reports.
constexpr size_t kUnknownMax = 100;

// Walks a value a second time, in the order of the document, to name the fields that its type does
// not have.
class UnknownFinder {
 public:
  explicit UnknownFinder(std::vector<std::string>& paths) : paths_(paths) {}

  void object(const Type& type, const json::Object& object, const std::string& prefix) {
    for (const auto& member : object) {
      if (paths_.size() >= kUnknownMax) return;
      const std::string path = prefix + std::string(member.key());
      const Field* field = type.field({member.key().data(), member.key().size()});
      if (field == nullptr) {
        paths_.push_back(path);
      } else {
        this->member(*field, member.value(), path);
      }
    }
  }

 private:
  void member(const Field& field, const json::Value& value, const std::string& path) {
    if (field.kind != Kind::object) return;
    if (field.type->form != JsonForm::object) {
      for (const Field& choice : field.type->fields) member(choice, value, path);
    } else if (const json::Array* items = value.if_array()) {
      for (size_t i = 0; i < items->size(); ++i)
        if (const json::Object* item = (*items)[i].if_object())
          object(*field.type, *item, fmt::format("{}[{}].", path, i));
    } else if (const json::Object* inner = value.if_object()) {
      if (field.cardinality == Cardinality::one) return object(*field.type, *inner, path + ".");
      for (const auto& entry : *inner)
        if (const json::Object* item = entry.value().if_object())
          object(*field.type, *item, fmt::format("{}.{}.", path, std::string_view(entry.key())));
    }
  }

  std::vector<std::string>& paths_;
};

class Decoder {
 public:
  bool has_unknown() const { return has_unknown_; }

  Result<json::Value> root(const Type& type, const json::Value& value) {
    if (!value.is_object())
      return Error(Code::bad_request, "json: cannot unmarshal {} into Go value of type {}",
                   json_kind_name(value), type.name.substr(type.name.find('.') + 1));
    return typed(type, value);
  }

 private:
  struct Step {
    std::string_view name;
    const Type* owner;  // the struct that has the field
  };

  Result<json::Value> typed(const Type& type, const json::Value& value) {
    json::Object out;
    const json::Object& in = value.get_object();
    size_t known = 0;
    KL_CHECK_FN(fields(type, type, in, out, known));
    has_unknown_ = has_unknown_ || known < in.size();
    return json::Value(std::move(out));
  }

  // `outer` is the struct that the JSON object stands for, `type` it or one of its inline structs.
  Result<void> fields(const Type& outer, const Type& type, const json::Object& in,
                      json::Object& out, size_t& known) {
    for (const Field& field : type.fields) {
      if (field.is_inline) {
        KL_CHECK_FN(fields(outer, *field.type, in, out, known));
        continue;
      }
      const json::Value* value = in.if_contains(field.name);
      if (value == nullptr) continue;
      ++known;
      if (value->is_null()) continue;
      path_.push_back({field.name, &outer});
      KL_TRY_FN(decoded, member(field, *value));
      path_.pop_back();
      if (decoded.is_null() || (!field.pointer && is_zero(field, decoded))) continue;
      out.emplace(field.name, std::move(decoded));
    }
    return {};
  }

  Result<json::Value> member(const Field& field, const json::Value& value) {
    switch (field.cardinality) {
      case Cardinality::one:
        return element(field, value);
      case Cardinality::list:
        return list(field, value);
      case Cardinality::map:
        return map(field, value);
    }
    return json::Value();
  }

  Result<json::Value> list(const Field& field, const json::Value& value) {
    const json::Array* in = value.if_array();
    if (in == nullptr) return mismatch(json_kind_name(value), go_type_of(field));
    json::Array out;
    out.reserve(in->size());
    for (const json::Value& item : *in) {
      KL_TRY_FN(decoded, item_of(field, item));
      out.push_back(std::move(decoded));
    }
    return json::Value(std::move(out));
  }

  Result<json::Value> map(const Field& field, const json::Value& value) {
    const json::Object* in = value.if_object();
    if (in == nullptr) return mismatch(json_kind_name(value), go_type_of(field));
    std::vector<const boost::json::key_value_pair*> sorted;
    sorted.reserve(in->size());
    for (const auto& member : *in) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->key() < b->key(); });
    json::Object out;
    out.reserve(sorted.size());
    for (const auto* member : sorted) {
      KL_TRY_FN(decoded, item_of(field, member->value()));
      out.emplace(member->key(), std::move(decoded));
    }
    return json::Value(std::move(out));
  }

  // A null element is the zero value of its type.
  Result<json::Value> item_of(const Field& field, const json::Value& item) {
    if (item.is_null()) return zero_of(field);
    return element(field, item);
  }

  Result<json::Value> element(const Field& field, const json::Value& value) {
    if (field.kind == Kind::object) return object(field, value);
    if (field.kind == Kind::string && value.is_string()) return value;  // most fields, by far
    KL_TRY_FN(scalar, canonical_scalar(field, value));
    if (scalar.mismatch) return mismatch(scalar.found, scalar.wanted);
    return std::move(scalar.value);
  }

  Result<json::Value> object(const Field& field, const json::Value& value) {
    const Type& type = *field.type;
    if (type.form != JsonForm::object) return alternative(field, value);
    if (!value.is_object()) return mismatch(json_kind_name(value), go_element_type_of(field));
    return typed(type, value);
  }

  // A type whose JSON is that of one of its fields: the one that this value fits.
  Result<json::Value> alternative(const Field& field, const json::Value& value) {
    for (const Field& choice : field.type->fields) {
      const bool fits = choice.cardinality == Cardinality::list ? value.is_array()
                        : choice.kind == Kind::boolean          ? value.is_bool()
                                                                : value.is_object();
      if (fits) return member(choice, value);
    }
    return mismatch(json_kind_name(value), go_element_type_of(field));
  }

  Error mismatch(std::string_view found, std::string_view wanted) const {
    std::string path;
    for (const Step& step : path_) {
      if (!path.empty()) path += '.';
      path += step.name;
    }
    return Error(Code::bad_request,
                 "json: cannot unmarshal {} into Go struct field {}.{} of type {}", found,
                 path_.back().owner->go_name, path, wanted);
  }

  std::vector<Step> path_;
  bool has_unknown_ = false;
};

}  // namespace

Result<json::Value> decode(const Type& type, const json::Value& value, Unknown* unknown) {
  Decoder decoder;
  auto decoded = decoder.root(type, value);
  if (decoded && unknown != nullptr && decoder.has_unknown())
    UnknownFinder(unknown->paths).object(type, value.get_object(), "");
  return decoded;
}

}  // namespace kinglet::schema
