#include "schema/structural.h"

namespace kinglet::schema {

const Structural* Structural::member(std::string_view name) const {
  const auto found = properties.find(name);
  return found != properties.end() ? &found->second : additional.get();
}

}  // namespace kinglet::schema
