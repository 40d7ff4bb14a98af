// YAML to JSON values, by yaml-cpp's events: its node tree would cost ten times the memory and
// loses which scalars were quoted.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>

#include "json/internal/yaml_scalar.h"

namespace kinglet::json {
namespace {

// What aliases may add to one document, in bytes of JSON: a few nested anchors can otherwise stand
// for terabytes.
constexpr size_t kAliasBytesMax = 3 * 1024 * 1024;
constexpr size_t kDocumentsMax = 4096;
constexpr size_t kDuplicatesMax = 64;

Error yaml_error(const YAML::Mark& mark, std::string_view message) {
  if (mark.is_null()) return Error(Code::bad_request, "yaml: {}", message);
  return Error(Code::bad_request, "yaml: line {}: column {}: {}", mark.line + 1, mark.column + 1,
               message);
}

// Carries an Error out of yaml-cpp's callbacks, which know only exceptions; caught in
// read_documents.
struct Stop {
  Error error;
};

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::vector<std::string>* duplicates) : duplicates_(duplicates) {}

  std::vector<Value> documents;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents.size() >= kDocumentsMax) throw Stop{yaml_error(mark, "too many documents")};
    anchors_.clear();
    alias_bytes_ = anchored_bytes_ = 0;
    documents.emplace_back(nullptr);
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    put(mark, nullptr, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end())
      throw Stop{yaml_error(mark, "unknown anchor referenced, or anchor contains itself")};
    alias_bytes_ += it->second.bytes;
    if (alias_bytes_ > kAliasBytesMax)
      throw Stop{yaml_error(mark, "document contains excessive aliasing")};
    if (frames_.size() + it->second.depth > kDepthMax)
      throw Stop{yaml_error(mark, "exceeded max depth")};
    Value copy = it->second.value;
    put(mark, std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    const bool is_key = waits_for_key();
    merge_key_ = is_key && tag == "?" && text == "<<";
    put(mark, scalar(mark, tag, text), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    push(mark, Array(), anchor);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    push(mark, Object(), anchor);
  }
  void OnMapEnd() override { pop(); }

 private:
  struct Frame {
    YAML::Mark mark;
    Value container;
    YAML::anchor_t anchor;
    bool has_key = false;
    bool merge = false;  // the pending key is "<<"
    std::string key;
    std::vector<Object> merged;  // sources of "<<": own keys win, wherever they stand
    size_t depth = 1;
  };
  struct Anchored {
    Value value;
    size_t bytes;
    size_t depth;
  };

  static Value scalar(const YAML::Mark& mark, const std::string& tag, const std::string& text) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag == "?" || tag.empty()) return plain(mark, text);
    if (!tag.starts_with(kCore)) return Value(text);
    const std::string_view type = std::string_view(tag).substr(kCore.size());
    if (type == "null" || type == "bool" || type == "int" || type == "float")
      return plain(mark, text);
    return Value(text);
  }
  static Value plain(const YAML::Mark& mark, const std::string& text) {
    auto value = resolve_plain_scalar(text);
    if (!value) throw Stop{yaml_error(mark, "json: unsupported value: " + text)};
    return *std::move(value);
  }

  bool waits_for_key() const {
    return !frames_.empty() && frames_.back().container.is_object() && !frames_.back().has_key;
  }

  void push(const YAML::Mark& mark, Value container, YAML::anchor_t anchor) {
    if (frames_.size() >= kDepthMax) throw Stop{yaml_error(mark, "exceeded max depth")};
    if (waits_for_key()) throw Stop{yaml_error(mark, "a map or list cannot be a key")};
    frames_.push_back({mark, std::move(container), anchor, false, false, {}, {}, 1});
  }

  void pop() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (!frame.merged.empty()) {
      Object& object = frame.container.get_object();
      for (const Object& source : frame.merged)
        for (const auto& member : source) object.emplace(member.key(), member.value());
    }
    if (!frames_.empty()) frames_.back().depth = std::max(frames_.back().depth, frame.depth + 1);
    put(frame.mark, std::move(frame.container), frame.anchor, frame.depth);
  }

  void put(const YAML::Mark& mark, Value value, YAML::anchor_t anchor, size_t depth = 0) {
    if (anchor != 0) {
      const size_t bytes = print(value).size();
      // Anchors may nest, and each keeps a copy.
      anchored_bytes_ += bytes;
      if (anchored_bytes_ > kAliasBytesMax)
        throw Stop{yaml_error(mark, "document contains excessive aliasing")};
      anchors_[anchor] = {value, bytes, depth};
    }
    if (frames_.empty()) {
      documents.back() = std::move(value);
      return;
    }
    Frame& top = frames_.back();
    if (Array* array = top.container.if_array()) {
      array->push_back(std::move(value));
      return;
    }
    if (!top.has_key) {
      take_key(mark, top, value);
      return;
    }
    top.has_key = false;
    if (top.merge) {
      merge(mark, top, std::move(value));
      return;
    }
    top.container.get_object()[top.key] = std::move(value);
  }

  void take_key(const YAML::Mark& mark, Frame& top, const Value& value) {
    if (value.is_structured()) throw Stop{yaml_error(mark, "a map or list cannot be a key")};
    top.has_key = true;
    top.merge = std::exchange(merge_key_, false);
    top.key = value.is_string() ? std::string(value.get_string().c_str(), value.get_string().size())
                                : print(value);
    if (top.merge || duplicates_ == nullptr || !top.container.get_object().contains(top.key))
      return;
    if (duplicates_->size() < kDuplicatesMax) duplicates_->push_back(path());
  }

  static void merge(const YAML::Mark& mark, Frame& top, Value value) {
    if (Object* object = value.if_object()) {
      top.merged.push_back(std::move(*object));
      return;
    }
    Array* array = value.if_array();
    if (array == nullptr)
      throw Stop{yaml_error(mark, "map merge requires map or sequence of maps as the value")};
    for (Value& item : *array) {
      if (!item.is_object())
        throw Stop{yaml_error(mark, "map merge requires map or sequence of maps as the value")};
      top.merged.push_back(std::move(item.get_object()));
    }
  }

  std::string path() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (const Array* array = frame.container.if_array()) {
        path += fmt::format("[{}]", array->size());
        continue;
      }
      if (!path.empty()) path += '.';
      path += frame.key;
    }
    return path;
  }

  std::vector<std::string>* duplicates_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t alias_bytes_ = 0;
  size_t anchored_bytes_ = 0;
  bool merge_key_ = false;
};

Result<std::vector<Value>> read_documents(std::string_view text,
                                          std::vector<std::string>* duplicates) {
  std::istringstream stream{std::string(text)};
  Builder builder(duplicates);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    return stop.error;
  } catch (const YAML::Exception& e) {
    return yaml_error(e.mark, e.msg);
  } catch (const std::exception& e) {
    return Error(Code::bad_request, "yaml: {}", e.what());
  }
  return std::move(builder.documents);
}

bool is_json_text(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text[start] == '{';
}

}  // namespace

Result<Value> parse_yaml(std::string_view text, std::vector<std::string>* duplicates) {
  // JSON is YAML, but the JSON parser is a hundred times faster.
  if (is_json_text(text)) {
    std::vector<std::string> found;
    if (auto value = parse(text, duplicates != nullptr ? &found : nullptr)) {
      if (duplicates != nullptr) duplicates->insert(duplicates->end(), found.begin(), found.end());
      return value;
    }
  }
  KL_TRY_FN(documents, read_documents(text, duplicates));
  if (documents.empty()) return Value(nullptr);
  if (documents.size() > 1) return Error(Code::bad_request, "yaml: more than one document");
  return std::move(documents.front());
}

Result<std::vector<Value>> parse_yaml_stream(std::string_view text) {
  if (is_json_text(text))
    if (auto value = parse(text)) return std::vector<Value>{*std::move(value)};
  KL_TRY_FN(documents, read_documents(text, nullptr));
  std::erase_if(documents, [](const Value& value) { return value.is_null(); });
  return std::move(documents);
}

}  // namespace kinglet::json
