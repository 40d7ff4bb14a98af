#include "schema/codec.h"
#include "schema/internal/scalars.h"

namespace kinglet::schema {
namespace {

const json::Object kEmpty;

// Prints in the order of the tables, adding what a typed encoder always prints.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  // kind and apiVersion of the resource stand in for those of the object.
  void root(const Resource& resource, const json::Object& object) {
    out_ += "{\"kind\":";
    json::print_string(out_, resource.kind);
    out_ += ",\"apiVersion\":";
    json::print_string(out_, resource.group_version());
    first_ = false;
    skip_type_meta_ = true;
    fields(*resource.type, object);
    out_ += '}';
  }

  void object(const Type& type, const json::Object& object) {
    out_ += '{';
    first_ = true;
    fields(type, object);
    out_ += '}';
    first_ = false;
  }

 private:
  void fields(const Type& type, const json::Object& object) {
    for (const Field& field : type.fields) {
      if (field.is_inline) {
        if (field.number == 0 && std::exchange(skip_type_meta_, false)) continue;
        fields(*field.type, object);
        continue;
      }
      member(field, object.if_contains(field.name));
    }
  }

  void name(const Field& field) {
    if (!first_) out_ += ',';
    first_ = false;
    json::print_string(out_, field.name);
    out_ += ':';
  }

  void member(const Field& field, const json::Value* value) {
    const bool unset =
        value == nullptr || value->is_null() || (!field.pointer && is_zero(field, *value));
    if (!unset) {
      const size_t before = out_.size();
      const bool was_first = first_;
      name(field);
      const size_t start = out_.size();
      this->value(field, *value);
      first_ = false;
      // A struct by value of which nothing is left is as good as absent.
      if (field.pointer || !field.json_zero.empty() ||
          out_.compare(start, std::string::npos, "{}") != 0)
        return;
      out_.resize(before);
      first_ = was_first;
      return;
    }
    if (field.json_zero.empty()) return;
    name(field);
    const bool struct_by_value = field.kind == Kind::object &&
                                 field.cardinality == Cardinality::one && !field.pointer &&
                                 field.type->form == JsonForm::object;
    // Its own fields may have something to print.
    if (struct_by_value) {
      object(*field.type, kEmpty);
    } else {
      out_ += field.json_zero;
    }
  }

  void value(const Field& field, const json::Value& value) {
    if (field.cardinality == Cardinality::list && value.is_array()) {
      list(field, value.get_array());
    } else if (field.cardinality == Cardinality::map && value.is_object()) {
      map(field, value.get_object());
    } else {
      element(field, value);
    }
  }

  void list(const Field& field, const json::Array& items) {
    char separator = '[';
    for (const json::Value& item : items) {
      out_ += std::exchange(separator, ',');
      element(field, item);
    }
    out_ += items.empty() ? "[]" : "]";
  }

  void map(const Field& field, const json::Object& members) {
    std::vector<const boost::json::key_value_pair*> sorted;
    sorted.reserve(members.size());
    for (const auto& member : members) sorted.push_back(&member);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->key() < b->key(); });
    char separator = '{';
    for (const auto* member : sorted) {
      out_ += std::exchange(separator, ',');
      json::print_string(out_, {member->key().data(), member->key().size()});
      out_ += ':';
      element(field, member->value());
    }
    out_ += sorted.empty() ? "{}" : "}";
  }

  void element(const Field& field, const json::Value& value) {
    if (field.kind != Kind::object) {
      json::print_to(out_, value);
    } else if (field.type->form != JsonForm::object) {
      alternative(*field.type, value);
    } else if (value.is_object()) {
      object(*field.type, value.get_object());
    } else {
      object(*field.type, kEmpty);
    }
  }

  void alternative(const Type& type, const json::Value& value) {
    for (const Field& choice : type.fields) {
      const bool fits =
          choice.kind == Kind::object &&
          (choice.cardinality == Cardinality::list ? value.is_array() : value.is_object());
      if (fits) return this->value(choice, value);
    }
    json::print_to(out_, value);
  }

  std::string& out_;
  bool first_ = true;
  bool skip_type_meta_ = false;
};

const json::Object& object_or_empty(const json::Value& value) {
  const json::Object* object = value.if_object();
  return object != nullptr ? *object : kEmpty;
}

}  // namespace

std::string encode(const Resource& resource, const json::Value& object) {
  std::string out;
  Encoder(out).root(resource, object_or_empty(object));
  return out;
}

std::string encode(const Type& type, const json::Value& value) {
  std::string out;
  Encoder(out).object(type, object_or_empty(value));
  return out;
}

}  // namespace kinglet::schema
