#include "node/runtime/passwd.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace kinglet::runtime {
namespace {
constexpr int64_t kIdMax = 0x7fffffff;  // as Kubernetes validates

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failed != std::errc() || end != text.data() + text.size() || value > kIdMax)
    return std::nullopt;
  return value;
}

// Calls `each` with the fields of every line that has at least `count`.
template <class F>
void for_each_line(std::string_view text, size_t count, F each) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::vector<std::string_view> fields;
    for (;;) {
      const size_t colon = line.find(':');
      fields.push_back(line.substr(0, colon));
      if (colon == std::string_view::npos) break;
      line.remove_prefix(colon + 1);
    }
    if (fields.size() >= count) each(fields);
  }
}

struct PasswdLine {
  std::string name;
  uint32_t uid, gid;
  std::string home;
};

std::optional<PasswdLine> find_user(std::string_view passwd, std::string_view name,
                                    std::optional<uint32_t> uid) {
  std::optional<PasswdLine> found;
  for_each_line(passwd, 6, [&](const auto& f) {
    const auto id = number(f[2]);
    const auto gid = number(f[3]);
    if (found || !id || !gid) return;
    if (uid ? *id == *uid : f[0] == name)
      found = PasswdLine{std::string(f[0]), *id, *gid, std::string(f[5])};
  });
  return found;
}

std::optional<uint32_t> find_group(std::string_view group, std::string_view name) {
  std::optional<uint32_t> found;
  for_each_line(group, 3, [&](const auto& f) {
    if (!found && f[0] == name) found = number(f[2]);
  });
  return found;
}

void add_groups_of(std::string_view group, const std::string& user, std::vector<uint32_t>& out) {
  for_each_line(group, 4, [&](const auto& f) {
    const auto gid = number(f[2]);
    std::string_view members = f[3];
    while (gid && !members.empty()) {
      const size_t comma = std::min(members.find(','), members.size());
      if (members.substr(0, comma) == user) out.push_back(*gid);
      members.remove_prefix(std::min(comma + 1, members.size()));
    }
  });
}
}  // namespace

Result<ProcessUser> resolve_user(const Security& security, const std::string& image_user,
                                 std::string_view passwd, std::string_view group) {
  for (const auto& id : {security.run_as_user, security.run_as_group})
    if (id && (*id < 0 || *id > kIdMax)) return Error(Code::invalid, "id {} is out of range", *id);

  const size_t colon = image_user.find(':');
  const std::string user_text = image_user.substr(0, colon);
  const std::string group_text = colon == std::string::npos ? "" : image_user.substr(colon + 1);
  const auto image_uid = number(user_text);

  std::optional<uint32_t> uid;
  if (security.run_as_user)
    uid = static_cast<uint32_t>(*security.run_as_user);
  else if (user_text.empty())
    uid = 0;
  else
    uid = image_uid;
  if (!uid && security.run_as_non_root)
    return Error(Code::invalid,
                 "container has runAsNonRoot and image has non-numeric user ({}), cannot verify user is non-root",
                 user_text);
  const auto line = find_user(passwd, user_text, uid);
  if (!uid && !line) return Error(Code::invalid, "unable to find user {}: no matching entries in passwd file", user_text);

  ProcessUser out;
  out.uid = uid ? *uid : line->uid;
  if (security.run_as_non_root && out.uid == 0)
    return security.run_as_user
               ? Error(Code::invalid, "container's runAsUser breaks non-root policy")
               : Error(Code::invalid, "container has runAsNonRoot and image will run as root");
  out.gid = line ? line->gid : 0;
  out.home = line && !line->home.empty() ? line->home : "/";
  if (security.run_as_group) {
    out.gid = static_cast<uint32_t>(*security.run_as_group);
  } else if (!security.run_as_user && !group_text.empty()) {
    auto gid = number(group_text);
    if (!gid) gid = find_group(group, group_text);
    if (!gid) return Error(Code::invalid, "unable to find group {}: no matching entries in group file", group_text);
    out.gid = *gid;
  }
  out.groups.push_back(out.gid);
  if (line) add_groups_of(group, line->name, out.groups);
  for (const int64_t extra : security.supplemental_groups) {
    if (extra < 0 || extra > kIdMax) return Error(Code::invalid, "group {} is out of range", extra);
    out.groups.push_back(static_cast<uint32_t>(extra));
  }
  std::sort(out.groups.begin(), out.groups.end());
  out.groups.erase(std::unique(out.groups.begin(), out.groups.end()), out.groups.end());
  return out;
}

}  // namespace kinglet::runtime
