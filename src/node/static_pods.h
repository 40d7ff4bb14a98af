// Static pods: manifests in a directory of this node, run without anybody's leave, and shown in the
// API by mirror pods. Source: kubelet's file source; its annotations kubernetes.io/config.*.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "api/core.h"
#include "base/files.h"
#include "base/result.h"

namespace kinglet::node {

constexpr const char* kConfigSource = "kubernetes.io/config.source";
constexpr const char* kConfigHash = "kubernetes.io/config.hash";
constexpr const char* kConfigMirror = "kubernetes.io/config.mirror";
constexpr size_t kStaticPodsMax = 100;
constexpr size_t kManifestBytesMax = 1 << 20;

bool is_static(const api::Pod& pod);
bool is_mirror(const api::Pod& pod);

// One manifest (YAML or JSON) as a pod of this node: named "<name>-<node>", its uid made of the
// text, defaults filled in. Errors: invalid (says what is wrong with it).
Result<api::Pod> parse_static_pod(const std::string& text, const std::string& node_name);
// What the API shows of it.
api::Pod mirror_of(const api::Pod& pod, const std::string& node_uid);

// Every manifest of a directory, by file name; those that cannot be read are told by `complain` and
// left out.
std::map<std::string, api::Pod> read_static_pods(
    Files& files, const std::string& directory, const std::string& node_name,
    const std::function<void(const std::string&, const Error&)>& complain);

}  // namespace kinglet::node
