// What a node's kubelet may do: its own objects, and what the pods bound to it refer to.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "apiserver/user.h"
#include "store/store.h"

namespace kinglet::apiserver {

// "edge-1" for user system:node:edge-1 in group system:nodes; nullopt for everybody else.
std::optional<std::string> node_of(const User& user);

// Reads the store's index; parses only the pods of that node.
Decision authorize_node(const store::Store& store, const std::string& node,
                        const Attributes& attributes);

}  // namespace kinglet::apiserver
