// Where agents' tunnels meet the API server: the paths, and who may use them.
#pragma once
#include <memory>
#include <string>

#include "apiserver/request_info.h"
#include "cluster/node_names.h"
#include "tunnel/nodes.h"

namespace kinglet::cli {

// The parts outlive the extension. `config`: what /kinglet.io/v1/cluster-config answers.
std::unique_ptr<apiserver::Extension> make_tunnel_routes(tunnel::Nodes& nodes,
                                                         cluster::NodeNames& names,
                                                         std::string config);

}  // namespace kinglet::cli
