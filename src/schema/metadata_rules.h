// Rules of labels and annotations wherever they stand: objects, pod templates, selectors.
#pragma once
#include "schema/causes.h"

namespace kinglet::schema {

void check_labels(const json::Value& labels, const Path& path, Causes& causes);
void check_annotations(const json::Value& annotations, const Path& path, Causes& causes);

}  // namespace kinglet::schema
