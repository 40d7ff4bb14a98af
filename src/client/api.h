// Api: the Kubernetes API as deciders see it. Implementations: apiserver's (same process, as a given user, through
// admission and authorisation) and the remote one. Objects are canonical JSON bytes; schema/structs.h turns them into structs.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "schema/types.h"

namespace kinglet::client {

struct ListOptions {
  std::string label_selector, field_selector;  // in the API's syntax
  uint64_t revision = 0;
  size_t limit = 0;
  std::string continue_token;
};
struct ObjectList {
  std::vector<Bytes> items;  // each with kind and apiVersion
  uint64_t revision = 0;
  std::string continue_token;
};

struct WatchEvent {
  enum class Type : uint8_t { added, modified, deleted, bookmark };
  Type type;
  Bytes object;  // bookmark: empty
  uint64_t revision = 0;
};
class Watch {
 public:
  virtual ~Watch() = default;
  // Errors: expired (list again), unavailable (watch again from the last revision).
  virtual Task<Result<WatchEvent>> next() = 0;
};

struct WriteOptions {
  std::string field_manager;
  bool dry_run = false;
};
enum class PatchType : uint8_t { json, merge, strategic, apply };
enum class Propagation : uint8_t { unset, background, foreground, orphan };
struct DeleteOptions {
  std::optional<int64_t> grace_seconds;
  Propagation propagation = Propagation::unset;
  std::string uid;              // precondition; empty: none
  uint64_t revision = 0;        // precondition; 0: none
};

// `resource` is a row of the catalogue (schema::find_resource); `subresource` is "" or "status", "scale", "binding"...
// ns is "" for cluster-scoped resources, and in list and watch for all namespaces.
class Api {
 public:
  virtual ~Api() = default;
  virtual Task<Result<Bytes>> get(const schema::Resource& resource, std::string ns, std::string name) = 0;
  virtual Task<Result<ObjectList>> list(const schema::Resource& resource, std::string ns, ListOptions options) = 0;
  // Events beyond `options.revision`.
  virtual Task<Result<std::unique_ptr<Watch>>> watch(const schema::Resource& resource, std::string ns,
                                                     ListOptions options) = 0;
  virtual Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object,
                                     WriteOptions options, std::string name, std::string subresource) = 0;
  virtual Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name,
                                     std::string object, WriteOptions options, std::string subresource) = 0;
  virtual Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name, PatchType type,
                                    std::string patch, WriteOptions options, std::string subresource) = 0;
  virtual Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name,
                                    DeleteOptions options) = 0;

  // The same with nothing special asked. Overloads and not default arguments: g++ 12 destroys a defaulted options
  // struct twice when it is made inside a co_await expression. For the same reason name options before the co_await.
  Task<Result<Bytes>> create(const schema::Resource& resource, std::string ns, std::string object);
  Task<Result<Bytes>> update(const schema::Resource& resource, std::string ns, std::string name, std::string object);
  Task<Result<Bytes>> patch(const schema::Resource& resource, std::string ns, std::string name, PatchType type,
                            std::string patch);
  Task<Result<void>> remove(const schema::Resource& resource, std::string ns, std::string name);
};

}  // namespace kinglet::client
