// For the controllers' tests: objects from YAML, decoded as an informer would.
#pragma once
#include <gtest/gtest.h>

#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

template <class T>
Ref<const T> made(const std::string& yaml) {
  const auto value = json::parse_yaml(yaml);
  EXPECT_TRUE(value) << (value ? "" : value.error().message()) << yaml;
  auto object = T::decode(*value);
  object->meta = client::decode_meta(*value);
  object->raw = Bytes(json::print(*value));
  return object;
}

inline WallTime at(int64_t seconds) { return {std::chrono::seconds(1'700'000'000 + seconds)}; }

}  // namespace kinglet::controllers
