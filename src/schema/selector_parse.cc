// The text form of label selectors: "a=b,c!=d,e in (f,g),!h". Error texts are those of
// k8s.io/apimachinery labels.
#include <algorithm>
#include <charconv>

#include "schema/causes.h"
#include "schema/values.h"

namespace kinglet::schema {
namespace {

using Op = Requirement::Op;

enum class Token : uint8_t {
  end,
  error,
  word,
  in,
  not_in,
  comma,
  open,
  close,
  bang,
  equals,
  double_equals,
  not_equals,
  greater,
  less
};
struct Item {
  Token token;
  std::string text;
};

struct Spelling {
  std::string_view text;
  Token token;
};
constexpr Spelling kSymbols[] = {
    {")", Token::close},          {",", Token::comma},       {"!", Token::bang},
    {"==", Token::double_equals}, {"=", Token::equals},      {">", Token::greater},
    {"<", Token::less},           {"!=", Token::not_equals}, {"(", Token::open}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_symbol(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }

const Spelling* symbol(std::string_view text) {
  for (const auto& s : kSymbols)
    if (s.text == text) return &s;
  return nullptr;
}

// The longest symbol that starts here.
Item scan_symbol(std::string_view& rest) {
  size_t length = 0;
  const Spelling* found = nullptr;
  while (length < rest.size() && is_symbol(rest[length])) {
    const auto* longer = symbol(rest.substr(0, length + 1));
    if (!longer && found) break;
    if (longer) found = longer;
    ++length;
  }
  Item item{found ? found->token : Token::error, std::string(rest.substr(0, length))};
  rest.remove_prefix(length);
  return item;
}

Item scan_word(std::string_view& rest) {
  size_t length = 0;
  while (length < rest.size() && !is_symbol(rest[length]) && !is_space(rest[length])) ++length;
  std::string text(rest.substr(0, length));
  rest.remove_prefix(length);
  if (text == "in") return {Token::in, text};
  if (text == "notin") return {Token::not_in, text};
  return {Token::word, text};
}

std::vector<Item> scan(std::string_view rest) {
  std::vector<Item> items;
  for (;;) {
    while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
    if (rest.empty()) break;
    items.push_back(is_symbol(rest.front()) ? scan_symbol(rest) : scan_word(rest));
  }
  items.push_back({Token::end, ""});
  return items;
}

Error unexpected(const Item& item, std::string_view wanted) {
  return Error(Code::bad_request, "found '{}', expected: {}", item.text, wanted);
}

Error syntax_error(const Path* path, std::string_view text,
                   const std::vector<std::string>& details) {
  std::string all;
  for (const auto& detail : details) all += (all.empty() ? "" : "; ") + detail;
  return Error(Code::bad_request, "{}: Invalid value: {}: {}", path ? path->text() : "<nil>",
               message_value(json::Value(text)), all);
}

bool is_integer(const std::string& text) {
  int64_t out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

Result<void> check(const Requirement& r) {
  if ((r.op == Op::in || r.op == Op::not_in) && r.values.empty())
    return Error(
        Code::bad_request,
        "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  if ((r.op == Op::greater || r.op == Op::less) && !is_integer(r.values.at(0)))
    return Error(
        Code::bad_request,
        "values[0]: Invalid value: \"{}\": for 'Gt', 'Lt' operators, the value must be an integer",
        r.values[0]);
  const Path values("values");
  for (size_t i = 0; i < r.values.size(); ++i) {
    const auto errors = label_value_errors(r.values[i]);
    const Path at = values.index(i);
    const Path keyed = at.key(r.key);
    if (!errors.empty()) return syntax_error(&keyed, r.values[i], errors);
  }
  return {};
}

class Parser {
 public:
  explicit Parser(std::string_view text) : items_(scan(text)) {}

  Result<std::vector<Requirement>> parse() {
    std::vector<Requirement> out;
    for (;;) {
      const Item& first = peek();
      if (first.token == Token::end) return out;
      if (first.token != Token::word && first.token != Token::bang)
        return unexpected(first, "!, identifier, or 'end of string'");
      auto requirement = parse_requirement();
      if (!requirement)
        return std::move(requirement.error()).with_context("unable to parse requirement");
      out.push_back(std::move(*requirement));
      const Item next = take();
      if (next.token == Token::end) return out;
      if (next.token != Token::comma) return unexpected(next, "',' or 'end of string'");
      const Item& after = peek();
      if (after.token != Token::word && after.token != Token::bang)
        return unexpected(after, "identifier after ','");
    }
  }

 private:
  // Keywords are words wherever no operator may stand.
  const Item& peek() {
    Item& item = items_[at_];
    if (item.token == Token::in || item.token == Token::not_in) item.token = Token::word;
    return item;
  }
  Item take() {
    Item item = peek();
    if (at_ + 1 < items_.size()) ++at_;
    return item;
  }
  Item take_operator() {
    Item item = items_[at_];
    if (at_ + 1 < items_.size()) ++at_;
    return item;
  }

  Result<Requirement> parse_requirement() {
    bool negated = false;
    Item key = take();
    if (key.token == Token::bang) {
      negated = true;
      key = take();
    }
    if (key.token != Token::word) return unexpected(key, "identifier");
    const auto errors = label_key_errors(key.text);
    if (!errors.empty()) return syntax_error(nullptr, key.text, errors);
    if (negated) return Requirement{key.text, Op::absent, {}};
    const Token next = items_[at_].token;
    if (next == Token::end || next == Token::comma) return Requirement{key.text, Op::exists, {}};
    Requirement out{key.text, Op::in, {}};
    KL_CHECK_FN(parse_operation(out));
    KL_CHECK_FN(check(out));
    return out;
  }

  Result<void> parse_operation(Requirement& out) {
    const Item op = take_operator();
    switch (op.token) {
      case Token::in:
        return parse_values(out);
      case Token::not_in:
        out.op = Op::not_in;
        return parse_values(out);
      case Token::equals:
      case Token::double_equals:
        return parse_exact_value(out);
      case Token::not_equals:
        out.op = Op::not_in;
        return parse_exact_value(out);
      case Token::greater:
        out.op = Op::greater;
        return parse_exact_value(out);
      case Token::less:
        out.op = Op::less;
        return parse_exact_value(out);
      default:
        return unexpected(op, "in, notin, =, ==, !=, gt, lt");
    }
  }

  Result<void> parse_exact_value(Requirement& out) {
    const Token next = peek().token;
    if (next == Token::end || next == Token::comma) {
      out.values.emplace_back();
      return {};
    }
    const Item value = take();
    if (value.token != Token::word) return unexpected(value, "identifier");
    out.values.push_back(value.text);
    return {};
  }

  Result<void> parse_values(Requirement& out) {
    const Item open = take();
    if (open.token != Token::open)
      return Error(Code::bad_request, "found '{}' expected: '('", open.text);
    const Item first = peek();
    if (first.token == Token::close) {
      take();
      return {};
    }
    if (first.token != Token::word && first.token != Token::comma)
      return unexpected(first, "',', ')' or identifier");
    KL_CHECK_FN(parse_list(out));
    if (take().token != Token::close) return unexpected(first, "')'");
    std::sort(out.values.begin(), out.values.end());
    out.values.erase(std::unique(out.values.begin(), out.values.end()), out.values.end());
    return {};
  }

  // Words between commas; a missing word is the empty value. Stops before the ')'.
  Result<void> parse_list(Requirement& out) {
    for (;;) {
      const Item item = take();
      if (item.token == Token::word) {
        out.values.push_back(item.text);
        const Item& next = peek();
        if (next.token == Token::close) return {};
        if (next.token != Token::comma) return unexpected(next, "',' or ')'");
        continue;
      }
      if (item.token != Token::comma) return unexpected(item, "',', or identifier");
      if (out.values.empty()) out.values.emplace_back();
      const Token next = peek().token;
      if (next == Token::close || next == Token::comma) out.values.emplace_back();
      if (next == Token::close) return {};
    }
  }

  std::vector<Item> items_;
  size_t at_ = 0;
};

}  // namespace

Result<Selector> Selector::parse(std::string_view text) {
  if (text.size() > kSelectorBytesMax)
    return Error(Code::bad_request, "a label selector may not be longer than {} bytes",
                 kSelectorBytesMax);
  Parser parser(text);
  KL_TRY_FN(requirements, parser.parse());
  Selector out;
  for (auto& requirement : requirements) out.add(std::move(requirement));
  std::stable_sort(out.requirements_.begin(), out.requirements_.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key < b.key; });
  return out;
}

}  // namespace kinglet::schema
