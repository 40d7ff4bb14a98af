// How a generated struct lies in memory: what lets one walker read and write them all (structs.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "schema/boxed.h"
#include "schema/types.h"

namespace kinglet::schema {

struct StructInfo;

// Access to a container of structs without knowing the struct.
struct ElementOps {
  void* (*resize)(void* container, size_t count);  // gives the first element
  const void* (*data)(const void* container, size_t& count);
};

struct Member {
  const Type* owner;  // the struct itself, or the inline struct that its fields come from
  uint16_t index;     // in owner->fields
  uint32_t offset;
  const StructInfo& (*type)();  // of a struct or its elements
  const ElementOps* ops;        // of a vector or Boxed of structs
  const Field& field() const { return owner->fields[index]; }
};

struct StructInfo {
  const Type* type;
  std::span<const Member> members;
  size_t size;
  const Resource* resource;  // of a top-level kind
};

// Specialised for every generated struct.
template <class T>
const StructInfo& struct_info();

template <class T>
inline constexpr ElementOps kVectorOps = {[](void* container, size_t count) -> void* {
                                            auto& vector = *static_cast<std::vector<T>*>(container);
                                            vector.resize(count);
                                            return vector.data();
                                          },
                                          [](const void* container, size_t& count) -> const void* {
                                            const auto& vector =
                                                *static_cast<const std::vector<T>*>(container);
                                            count = vector.size();
                                            return vector.data();
                                          }};

template <class T>
inline constexpr ElementOps kBoxedOps = {
    [](void* container, size_t) -> void* { return &static_cast<Boxed<T>*>(container)->emplace(); },
    [](const void* container, size_t& count) -> const void* {
      const auto& boxed = *static_cast<const Boxed<T>*>(container);
      count = boxed ? 1 : 0;
      return boxed.operator->();
    }};

}  // namespace kinglet::schema
