// The node's image commands over HTTP, for `kinglet images` while the server runs: below the kubelet API, so that they
// are authorised as nodes/proxy.
//   GET    /images              the images, as JSON
//   POST   /images?path=FILE    imports an archive that lies on this machine
//   POST   /images?pull=NAME    brings an image from its registry
//   DELETE /images?name=NAME    removes a tag or an image
#pragma once
#include <vector>

#include "json/json.h"
#include "net/http.h"
#include "node/runtime/images.h"

namespace kinglet::node {

bool is_images_request(const net::Request& request);
Task<void> serve_images(runtime::Images& images, net::Exchange& exchange);

json::Value image_list_json(const std::vector<runtime::Image>& images);

}  // namespace kinglet::node
