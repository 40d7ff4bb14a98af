// The rules of ObjectMeta (k8s.io/apimachinery api/validation/objectmeta.go).
#pragma once
#include "schema/causes.h"
#include "schema/types.h"

namespace kinglet::schema {

constexpr size_t kAnnotationsBytesMax = 256 << 10;
void validate_metadata(const Resource& resource, const json::Value& object, Causes& causes);

}  // namespace kinglet::schema
