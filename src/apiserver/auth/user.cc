#include "apiserver/user.h"

namespace kinglet::apiserver {

bool User::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

}  // namespace kinglet::apiserver
