// Which objects a list or watch is about: label and field selectors, decided on an entry's tags
// without decoding it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/field_selector.h"
#include "schema/types.h"
#include "schema/values.h"
#include "store/store.h"

namespace kinglet::apiserver {

// The one name that a field selector asks for, if it does.
std::optional<std::string> selected_name(std::string_view field_selector);

class Selection {
 public:
  // Errors: bad_request (syntax, a field that cannot be selected by).
  static Result<Selection> make(const schema::Resource& resource, std::string_view labels,
                                std::string_view fields);
  // Narrows it to one name.
  void select_name(std::string name);
  bool everything() const { return labels_.empty() && fields_.empty(); }
  bool matches(const store::Entry& entry) const;
  // Set when at most one key can match.
  const std::optional<std::string>& only_name() const { return only_name_; }

 private:
  schema::Selector labels_;
  std::vector<schema::FieldRequirement> fields_;
  std::optional<std::string> only_name_;
};

}  // namespace kinglet::apiserver
