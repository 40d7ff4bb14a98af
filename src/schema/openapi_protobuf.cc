// The OpenAPI document of version 2 as protobuf. Clients that validate before they send ask for no
// other form of it.
//
// Made from the JSON text piece by piece, a path or a definition at a time: so there is one source
// of what the document says, and never more than one piece of it as values.
// Source: the message openapi.v2.Document of gnostic (its field numbers are below).
#include "json/json.h"
#include "schema/codec.h"
#include "schema/internal/openapi_writer.h"
#include "schema/internal/protobuf_wire.h"

namespace kinglet::schema {
namespace {

using wire::put_bytes;
using wire::put_integer;

std::string_view key_of(const boost::json::key_value_pair& member) {
  return {member.key().data(), member.key().size()};
}

void put_text(std::string& out, int32_t number, const json::Value& value) {
  if (const auto* text = value.if_string(); text && !text->empty()) put_bytes(out, number, *text);
}
void put_texts(std::string& out, int32_t number, const json::Value& list) {
  if (!list.is_array()) return;
  for (const auto& item : list.get_array())
    if (item.is_string()) put_bytes(out, number, item.get_string());
}
void put_true(std::string& out, int32_t number, const json::Value& value) {
  if (value.is_bool() && value.get_bool()) put_integer(out, number, 1);
}

// Any: field 2 is YAML, of which JSON is a part.
std::string any_message(const json::Value& value) {
  std::string out;
  put_bytes(out, 2, json::print(value) + "\n");
  return out;
}

std::string named(std::string_view name, std::string_view message) {
  std::string out;
  put_bytes(out, 1, name);
  put_bytes(out, 2, message);
  return out;
}

bool is_extension(std::string_view name) { return name.starts_with("x-"); }

void put_extensions(std::string& out, int32_t number, const json::Object& object) {
  for (const auto& member : object)
    if (is_extension(key_of(member)))
      put_bytes(out, number, named(key_of(member), any_message(member.value())));
}

std::string schema_message(const json::Value& schema);

std::string properties_message(const json::Value& properties) {
  std::string out;
  if (!properties.is_object()) return out;
  for (const auto& member : properties.get_object())
    put_bytes(out, 1, named(key_of(member), schema_message(member.value())));
  return out;
}

// AdditionalPropertiesItem: a schema, or whether there may be any.
std::string additional_message(const json::Value& value) {
  std::string out;
  if (value.is_bool()) {
    put_integer(out, 2, value.get_bool());
  } else {
    put_bytes(out, 1, schema_message(value));
  }
  return out;
}

void put_number(std::string& out, int32_t number, const json::Value& value) {
  if (value.is_number()) wire::put_double(out, number, value.to_number<double>());
}
void put_count(std::string& out, int32_t number, const json::Value& value) {
  if (value.is_int64()) put_integer(out, number, value.get_int64());
}

enum class Form : uint8_t { text, texts, truth, number, count, any, anys };
struct SchemaField {
  std::string_view name;
  int32_t number;
  Form form;
};
constexpr SchemaField kSchemaFields[] = {
    {"$ref", 1, Form::text},
    {"format", 2, Form::text},
    {"title", 3, Form::text},
    {"description", 4, Form::text},
    {"default", 5, Form::any},
    {"multipleOf", 6, Form::number},
    {"maximum", 7, Form::number},
    {"exclusiveMaximum", 8, Form::truth},
    {"minimum", 9, Form::number},
    {"exclusiveMinimum", 10, Form::truth},
    {"maxLength", 11, Form::count},
    {"minLength", 12, Form::count},
    {"pattern", 13, Form::text},
    {"maxItems", 14, Form::count},
    {"minItems", 15, Form::count},
    {"uniqueItems", 16, Form::truth},
    {"maxProperties", 17, Form::count},
    {"minProperties", 18, Form::count},
    {"required", 19, Form::texts},
    {"enum", 20, Form::anys},
    {"readOnly", 27, Form::truth},
    {"example", 30, Form::any},
};

void put_schema_field(std::string& out, const SchemaField& field, const json::Value& value) {
  switch (field.form) {
    case Form::text:
      return put_text(out, field.number, value);
    case Form::texts:
      return put_texts(out, field.number, value);
    case Form::truth:
      return put_true(out, field.number, value);
    case Form::number:
      return put_number(out, field.number, value);
    case Form::count:
      return put_count(out, field.number, value);
    case Form::any:
      return put_bytes(out, field.number, any_message(value));
    case Form::anys:
      if (value.is_array())
        for (const auto& item : value.get_array()) put_bytes(out, field.number, any_message(item));
  }
}

std::string schema_message(const json::Value& schema) {
  std::string out;
  if (!schema.is_object()) return out;
  const auto& object = schema.get_object();
  for (const auto& field : kSchemaFields)
    if (const auto* value = object.if_contains(field.name)) put_schema_field(out, field, *value);
  if (const auto* value = object.if_contains("additionalProperties"))
    put_bytes(out, 21, additional_message(*value));
  if (const auto* value = object.if_contains("type")) {
    std::string type;
    put_text(type, 1, *value);
    put_bytes(out, 22, type);
  }
  if (const auto* value = object.if_contains("items")) {
    std::string items;
    put_bytes(items, 1, schema_message(*value));
    put_bytes(out, 23, items);
  }
  if (const auto* value = object.if_contains("allOf"); value && value->is_array())
    for (const auto& part : value->get_array()) put_bytes(out, 24, schema_message(part));
  if (const auto* value = object.if_contains("properties"))
    put_bytes(out, 25, properties_message(*value));
  put_extensions(out, 31, object);
  return out;
}

const json::Value& member(const json::Object& object, std::string_view name) {
  static const json::Value nothing;
  const auto* value = object.if_contains(name);
  return value ? *value : nothing;
}

// ParametersItem > Parameter > BodyParameter or NonBodyParameter > query or path.
std::string parameter_message(const json::Object& parameter) {
  std::string inner, outer;
  const auto place = json::text_at(json::Value(parameter), {"in"});
  if (place == "body") {
    put_text(inner, 2, member(parameter, "name"));
    put_text(inner, 3, member(parameter, "in"));
    put_true(inner, 4, member(parameter, "required"));
    put_bytes(inner, 5, schema_message(member(parameter, "schema")));
    put_bytes(outer, 1, inner);
  } else {
    const bool query = place == "query";
    put_true(inner, 1, member(parameter, "required"));
    put_text(inner, 2, member(parameter, "in"));
    put_text(inner, 3, member(parameter, "description"));
    put_text(inner, 4, member(parameter, "name"));
    put_text(inner, query ? 6 : 5, member(parameter, "type"));
    put_true(inner, query ? 20 : 19, member(parameter, "uniqueItems"));
    std::string sub;
    put_bytes(sub, query ? 3 : 4, inner);
    put_bytes(outer, 2, sub);
  }
  std::string item;
  put_bytes(item, 1, outer);
  return item;
}

void put_parameters(std::string& out, int32_t number, const json::Value& list) {
  if (!list.is_array()) return;
  for (const auto& parameter : list.get_array())
    if (parameter.is_object()) put_bytes(out, number, parameter_message(parameter.get_object()));
}

// Responses > NamedResponseValue > ResponseValue > Response > SchemaItem > Schema.
std::string responses_message(const json::Value& responses) {
  std::string out;
  if (!responses.is_object()) return out;
  for (const auto& row : responses.get_object()) {
    if (!row.value().is_object()) continue;
    const auto& response = row.value().get_object();
    std::string item, message, value;
    put_bytes(item, 1, schema_message(member(response, "schema")));
    put_text(message, 1, member(response, "description"));
    put_bytes(message, 2, item);
    put_bytes(value, 1, message);
    put_bytes(out, 1, named(key_of(row), value));
  }
  return out;
}

std::string operation_message(const json::Object& operation) {
  std::string out;
  put_text(out, 3, member(operation, "description"));
  put_text(out, 5, member(operation, "operationId"));
  put_texts(out, 6, member(operation, "produces"));
  put_texts(out, 7, member(operation, "consumes"));
  put_parameters(out, 8, member(operation, "parameters"));
  put_bytes(out, 9, responses_message(member(operation, "responses")));
  put_texts(out, 10, member(operation, "schemes"));
  put_extensions(out, 13, operation);
  return out;
}

std::string path_message(const json::Object& item) {
  constexpr std::pair<std::string_view, int32_t> kMethods[] = {
      {"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
  std::string out;
  for (const auto& [method, number] : kMethods)
    if (const auto* operation = item.if_contains(method); operation && operation->is_object())
      put_bytes(out, number, operation_message(operation->get_object()));
  put_parameters(out, 9, member(item, "parameters"));
  return out;
}

// Converts each member of `text`, which is the inside of a JSON object, and puts it as `number`.
template <class Message>
void put_members(std::string& out, int32_t number, const std::string& text, Message message) {
  auto object = json::parse("{" + text + "}");
  KL_ASSERT(object, "our own OpenAPI document: {}", object.error().message());
  for (const auto& row : object->get_object())
    put_bytes(out, number, named(key_of(row), message(row.value())));
}

}  // namespace

std::string openapi_v2_protobuf() {
  OpenApiWriter writer(OpenApiVersion::v2);
  std::string paths, definitions, info, out;
  for (const auto* resource : resources()) {
    bool first = true;
    writer.paths_of(*resource, first);
    put_members(paths, 2, writer.take(),
                [](const json::Value& item) { return path_message(item.get_object()); });
  }
  writer.want_common();
  for (bool first = true; writer.next_definition(first); first = true)
    put_members(definitions, 1, writer.take(), schema_message);
  bool first = true;
  writer.fixed_definitions(first);
  put_members(definitions, 1, writer.take(), schema_message);

  put_bytes(info, 1, "Kubernetes");
  put_bytes(info, 2, "v1.34.0");
  put_bytes(out, 1, "2.0");
  put_bytes(out, 2, info);
  put_bytes(out, 8, paths);
  paths = std::string();
  put_bytes(out, 9, definitions);
  return out;
}

}  // namespace kinglet::schema
