// Serves /openapi/v2 and /openapi/v3. The documents are built when they are asked for and dropped
// with the answer: clients keep them by their hash, which follows from the tables and costs no
// document.
#pragma once
#include <memory>

#include "apiserver/request_info.h"

namespace kinglet::apiserver {

std::unique_ptr<Extension> make_openapi();

}  // namespace kinglet::apiserver
