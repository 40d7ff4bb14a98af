#include "schema/causes.h"

#include <algorithm>

namespace kinglet::schema {

std::string Path::text() const {
  std::string out;
  append_to(out);
  return out;
}

void Path::append_to(std::string& out) const {
  if (parent_) parent_->append_to(out);
  switch (step_) {
    case Step::member:
      if (!out.empty()) out += '.';
      out += name_;
      return;
    case Step::index:
      out += fmt::format("[{}]", index_);
      return;
    case Step::key:
      out += fmt::format("[{}]", name_);
      return;
  }
}

std::string message_value(const json::Value& value) {
  // The printer escapes for HTML, as Go's JSON encoder does; messages are not JSON.
  const std::string printed = json::print(value);
  std::string out;
  for (size_t i = 0; i < printed.size(); ++i) {
    const std::string_view escape = std::string_view(printed).substr(i, 6);
    const char plain = escape == "\\u003c"   ? '<'
                       : escape == "\\u003e" ? '>'
                       : escape == "\\u0026" ? '&'
                                             : '\0';
    if (plain != '\0') {
      out += plain;
      i += 5;
      continue;
    }
    out += printed[i];
    if (printed[i] == '\\' && i + 1 < printed.size()) out += printed[++i];
  }
  return out;
}

void add_required(Causes& causes, const Path& path, std::string_view detail) {
  std::string message = "Required value";
  if (!detail.empty()) message += fmt::format(": {}", detail);
  causes.push_back({"FieldValueRequired", std::move(message), path.text()});
}

void add_invalid(Causes& causes, const Path& path, const json::Value& value,
                 std::string_view detail) {
  std::string message = fmt::format("Invalid value: {}", message_value(value));
  if (!detail.empty()) message += fmt::format(": {}", detail);
  causes.push_back({"FieldValueInvalid", std::move(message), path.text()});
}

void add_invalid_each(Causes& causes, const Path& path, const json::Value& value,
                      const std::vector<std::string>& details) {
  for (const auto& detail : details) add_invalid(causes, path, value, detail);
}

void add_unsupported(Causes& causes, const Path& path, const json::Value& value,
                     std::span<const std::string_view> supported) {
  std::vector<std::string> quoted;
  for (const auto text : supported) quoted.push_back(fmt::format("\"{}\"", text));
  std::sort(quoted.begin(), quoted.end());
  causes.push_back({"FieldValueNotSupported",
                    fmt::format("Unsupported value: {}: supported values: {}", message_value(value),
                                fmt::join(quoted, ", ")),
                    path.text()});
}

void add_unsupported(Causes& causes, const Path& path, const json::Value& value,
                     std::initializer_list<std::string_view> supported) {
  add_unsupported(causes, path, value, std::span(supported.begin(), supported.size()));
}

void add_duplicate(Causes& causes, const Path& path, const json::Value& value) {
  causes.push_back({"FieldValueDuplicate", fmt::format("Duplicate value: {}", message_value(value)),
                    path.text()});
}

void add_forbidden(Causes& causes, const Path& path, std::string_view detail) {
  causes.push_back({"FieldValueForbidden", fmt::format("Forbidden: {}", detail), path.text()});
}

void add_not_found(Causes& causes, const Path& path, const json::Value& value) {
  causes.push_back(
      {"FieldValueNotFound", fmt::format("Not found: {}", message_value(value)), path.text()});
}

void add_too_long(Causes& causes, const Path& path, size_t bytes_max) {
  causes.push_back({"FieldValueTooLong",
                    fmt::format("Too long: may not be more than {} bytes", bytes_max),
                    path.text()});
}

void add_too_many(Causes& causes, const Path& path, size_t count, size_t items_max) {
  causes.push_back({"FieldValueTooMany",
                    fmt::format("Too many: {}: must have at most {} items", count, items_max),
                    path.text()});
}

Error invalid_error(std::string_view kind, std::string_view group, std::string_view name,
                    Causes causes) {
  // The tables and a kind's own rules may both notice the same thing.
  std::vector<std::string> lines;
  Causes unique;
  for (auto& cause : causes) {
    auto line = fmt::format("{}: {}", cause.field, cause.message);
    if (std::find(lines.begin(), lines.end(), line) != lines.end()) continue;
    lines.push_back(std::move(line));
    unique.push_back(std::move(cause));
  }
  const std::string all =
      lines.size() == 1 ? lines[0] : fmt::format("[{}]", fmt::join(lines, ", "));
  const std::string qualified =
      group.empty() ? std::string(kind) : fmt::format("{}.{}", kind, group);
  Error error(Code::invalid, "{} \"{}\" is invalid: {}", qualified, name, all);
  auto& details = error.mutable_details();
  details.causes = std::move(unique);
  details.name = name;
  details.group = group;
  details.kind = kind;
  return error;
}

}  // namespace kinglet::schema
