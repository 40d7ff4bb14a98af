#include "net/http.h"

#include "base/task.h"

namespace kinglet::net {
namespace {
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

constexpr size_t kQueryPairsMax = 1000;  // exec commands repeat "command"; nothing real has more
}  // namespace

Result<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0)
        return Error(Code::bad_request, "invalid URL escape \"{}\"", text.substr(i, 3));
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == Plus::space) {
      c = ' ';
    } else if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      return Error(Code::bad_request, "invalid control character in URL");
    }
    out += c;
  }
  return out;
}

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  rows_.emplace_back(std::string(name), std::move(value));
}

const std::string* Headers::find(std::string_view name) const {
  for (const auto& row : rows_)
    if (same_name(row.first, name)) return &row.second;
  return nullptr;
}

std::string_view Headers::get(std::string_view name) const {
  const auto* value = find(name);
  return value ? std::string_view(*value) : std::string_view();
}

std::vector<std::string> Headers::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& row : rows_)
    if (same_name(row.first, name)) values.push_back(row.second);
  return values;
}

void Headers::remove(std::string_view name) {
  std::erase_if(rows_, [&](const auto& row) { return same_name(row.first, name); });
}

const std::string* Request::query_value(std::string_view name) const {
  for (const auto& pair : query)
    if (pair.first == name) return &pair.second;
  return nullptr;
}

std::vector<std::string> Request::query_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& pair : query)
    if (pair.first == name) values.push_back(pair.second);
  return values;
}

Result<void> split_target(Request& request) {
  std::string_view target = request.target;
  request.path.clear();
  request.query.clear();
  if (target == "*") {
    request.path = "*";
    return {};
  }
  // A proxy's absolute form: the authority is no business of a handler.
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t slash = target.find_first_of("/?", scheme.size());
    target = slash == target.npos ? std::string_view() : target.substr(slash);
    if (target.empty() || target[0] == '?') request.path = "/";
  }
  if (const size_t hash = target.find('#'); hash != target.npos) target = target.substr(0, hash);
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (request.path.empty()) {
    if (path.empty() || path[0] != '/')
      return Error(Code::bad_request, "the request target must begin with a slash");
    KL_TRY_FN(decoded, percent_decode(path, Plus::itself));
    if (decoded.find('\0') != decoded.npos)
      return Error(Code::bad_request, "invalid control character in URL");
    request.path = std::move(decoded);
  }
  if (mark == target.npos) return {};
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    if (request.query.size() >= kQueryPairsMax)
      return Error(Code::bad_request, "more than {} query parameters", kQueryPairsMax);
    const size_t equals = pair.find('=');
    KL_TRY_FN(name, percent_decode(pair.substr(0, equals), Plus::space));
    std::string value;
    if (equals != pair.npos) {
      KL_TRY_FN(decoded, percent_decode(pair.substr(equals + 1), Plus::space));
      value = std::move(decoded);
    }
    request.query.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

Task<Result<void>> respond_text(Exchange& exchange, int status, std::string text,
                                std::string content_type) {
  Headers headers;
  headers.add("content-type", std::move(content_type));
  std::vector<Bytes> body;
  body.emplace_back(text);
  co_return co_await exchange.respond(status, std::move(headers), std::move(body));
}

}  // namespace kinglet::net
