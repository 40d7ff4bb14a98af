// A few hand-made types, so that table-driven functions are tested without the built-in catalogue.
#pragma once
#include "schema/types.h"

namespace kinglet::schema::testing {

inline Field small_field(std::string_view name, Kind kind, Cardinality cardinality,
                         const Type* type = nullptr) {
  Field field{};
  field.name = name;
  field.kind = kind;
  field.cardinality = cardinality;
  field.type = type;
  return field;
}

inline Field small_merging(std::string_view name, const Type* type, std::string_view merge_key) {
  Field field = small_field(name, type ? Kind::object : Kind::string, Cardinality::list, type);
  field.patch_merge = true;
  field.merge_key = merge_key;
  return field;
}

// {labels, args, finalizers, containers[name]{name, image, labels, ports[containerPort]}, selector}
inline const Type& small_pod() {
  static const Field port_fields[] = {small_field("containerPort", Kind::int32, Cardinality::one),
                                      small_field("name", Kind::string, Cardinality::one)};
  static const Type port{.name = "test.Port", .go_name = "Port", .fields = port_fields};
  static const Field container_fields[] = {small_field("name", Kind::string, Cardinality::one),
                                           small_field("image", Kind::string, Cardinality::one),
                                           small_field("labels", Kind::string, Cardinality::map),
                                           small_merging("ports", &port, "containerPort")};
  static const Type container{
      .name = "test.Container", .go_name = "Container", .fields = container_fields};
  static const Field selector_fields[] = {small_field("a", Kind::string, Cardinality::one),
                                          small_field("b", Kind::string, Cardinality::one)};
  static const Type selector{
      .name = "test.Selector", .go_name = "Selector", .fields = selector_fields};
  static const Field replaced_selector = [] {
    Field field = small_field("selector", Kind::object, Cardinality::one, &selector);
    field.patch_replace = true;
    return field;
  }();
  static const Field pod_fields[] = {small_field("labels", Kind::string, Cardinality::map),
                                     small_field("args", Kind::string, Cardinality::list),
                                     small_merging("finalizers", nullptr, ""),
                                     small_merging("containers", &container, "name"),
                                     replaced_selector};
  static const Type pod{.name = "test.Pod", .go_name = "Pod", .fields = pod_fields};
  return pod;
}

}  // namespace kinglet::schema::testing
