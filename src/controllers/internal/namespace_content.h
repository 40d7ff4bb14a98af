// What is in a namespace, and what its status says while it is emptied. Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "controllers/internal/kinds.h"

namespace kinglet::controllers {

// Every stored, namespaced kind that can be listed and deleted.
std::vector<const schema::Resource*> namespaced_content();
// Of those that are not being deleted yet.
std::vector<std::string> names_to_remove(const std::vector<Bytes>& objects);

class Remaining {
 public:
  void count(const schema::Resource& resource, const std::vector<Bytes>& objects);
  size_t total() const { return total_; }
  // The namespace's conditions, in upstream's words.
  Conditions conditions(const Conditions& before, WallTime now) const;

 private:
  size_t total_ = 0;
  std::map<std::string, size_t> objects_;     // by "pods."
  std::map<std::string, size_t> finalizers_;  // by finalizer
};
json::Value conditions_patch(const Conditions& conditions);

}  // namespace kinglet::controllers
