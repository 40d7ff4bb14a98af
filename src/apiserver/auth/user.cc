#include "apiserver/user.h"

namespace kinglet::apiserver {
namespace {

std::string qualified(const Attributes& a) {
  return a.group.empty() ? a.resource : a.resource + "." + a.group;
}

std::string quoted(const std::string& text) {
  std::string out;
  json::print_string(out, text);
  return out;
}

}  // namespace

bool User::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

Error forbidden(const User& user, const Attributes& a, const std::string& reason) {
  const std::string tail = reason.empty() ? "" : ": " + reason;
  if (!a.is_resource) {
    return Error(Code::forbidden, "forbidden: User {} cannot {} path {}{}", quoted(user.name),
                 a.verb, quoted(a.path), tail);
  }
  const std::string resource =
      a.subresource.empty() ? a.resource : a.resource + "/" + a.subresource;
  const std::string subject = a.name.empty() ? qualified(a) : qualified(a) + " " + quoted(a.name);
  const std::string where =
      a.ns.empty() ? "at the cluster scope" : "in the namespace " + quoted(a.ns);
  Error error(Code::forbidden,
              "{} is forbidden: User {} cannot {} resource {} in API group {} {}{}", subject,
              quoted(user.name), a.verb, quoted(resource), quoted(a.group), where, tail);
  auto& details = error.mutable_details();
  details.name = a.name;
  details.group = a.group;
  details.kind = a.resource;
  return error;
}

}  // namespace kinglet::apiserver
