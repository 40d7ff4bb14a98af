// What is special about a kind. The registry drives every kind down one path; at these points it
// asks the kind's hooks and the admission plugins. All are called on the loop between two co_awaits
// unless they are Tasks.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apiserver/user.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/task_fwd.h"
#include "json/json.h"
#include "schema/types.h"
#include "store/store.h"

namespace kinglet::apiserver {

// Reading other objects while deciding about one: parsed values from the store's index.
class Reader {
 public:
  virtual ~Reader() = default;
  // Errors: not_found with upstream's message.
  virtual Result<json::Value> get(const schema::Resource& resource, std::string_view ns,
                                  std::string_view name) const = 0;
  virtual bool exists(const schema::Resource& resource, std::string_view ns,
                      std::string_view name) const = 0;
  virtual std::vector<json::Value> list(const schema::Resource& resource,
                                        std::string_view ns) const = 0;
};

enum class Operation : uint8_t { create, update, remove };

struct WriteContext {
  const schema::Resource& resource;
  Operation operation;
  const User& user;
  std::string ns, name, subresource;
  bool dry_run = false;
  WallTime now;
  const Reader& reader;
  std::vector<std::string>& warnings;  // sent as Warning headers
};

// One per kind that needs one; stateless unless it owns an allocator. Order on a write:
//   decode, default, prepare, admission (mutating), validate, admission (validating), allocate,
//   store.
class KindHooks {
 public:
  virtual ~KindHooks() = default;
  // Resets what clients may not set (status on create), sets generation-like fields. `old` is null
  // on create.
  virtual void prepare(const WriteContext& context, json::Value& object,
                       const json::Value* old) const;
  // Per-kind rules beyond schema::validate_structure, immutability included (validation.tsv).
  virtual void validate(const WriteContext& context, const json::Value& object,
                        const json::Value* old, std::vector<Cause>& causes) const;
  // Takes what must be unique (cluster IPs, node ports). Nothing is taken on dry run. Undone by
  // release() with the same object when the write fails, and called with the last state when the
  // object has gone.
  virtual Result<void> allocate(const WriteContext& context, json::Value& object,
                                const json::Value* old);
  virtual void release(const json::Value& object, const json::Value* still_used_by);
  // Whether PUT or PATCH of a missing object creates it (http.md section 1).
  virtual bool create_on_update() const { return false; }
  // Delete answers with the last object instead of a Status (http.md section 3).
  virtual bool delete_returns_object() const { return false; }
  // Rebuilds allocators from what the store holds, once at start.
  virtual void restore(const Reader& reader);
};

class AdmissionPlugin {
 public:
  virtual ~AdmissionPlugin() = default;
  virtual const char* name() const = 0;  // upstream's: "ServiceAccount", "NamespaceLifecycle"
  // Errors: forbidden and what the plugin says. `object` is null on remove.
  virtual Task<Result<void>> mutate(const WriteContext& context, json::Value* object,
                                    const json::Value* old);
  virtual Task<Result<void>> validate(const WriteContext& context, const json::Value* object,
                                      const json::Value* old);
};

// The hooks of every built-in kind, keyed by "<group>/<plural>"; and the admission chain in
// upstream's order.
struct HookOptions {
  std::string service_cidr = "10.43.0.0/16";
  std::string node_port_range = "30000-32767";
};
// What make_hooks would not accept, in words for the person who set the flag. Errors: bad_request.
Result<void> check_hook_options(const HookOptions& options);
std::map<std::string, std::unique_ptr<KindHooks>> make_hooks(const HookOptions& options);
std::vector<std::unique_ptr<AdmissionPlugin>> make_admission(Clock& clock);

}  // namespace kinglet::apiserver
