#include "json.hpp"

#include <cstdio>
#include <cstdlib>

namespace natbox {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Json document() {
    Json value = any();
    space();
    if (at_ != text_.size()) fail("text after the value");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error("JSON: " + std::string(what) + " at " + std::to_string(at_));
  }

  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
  }

  char peek() {
    space();
    if (at_ >= text_.size()) fail("early end");
    return text_[at_];
  }

  bool take(char expected) {
    if (peek() != expected) return false;
    ++at_;
    return true;
  }

  void need(char expected) {
    if (!take(expected)) fail("unexpected character");
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  Json any() {
    Json out;
    switch (peek()) {
      case '{': out.value_ = object(); break;
      case '[': out.value_ = array(); break;
      case '"': out.value_ = string(); break;
      default:
        if (word("true")) out.value_ = true;
        else if (word("false")) out.value_ = false;
        else if (!word("null")) out.value_ = number();
    }
    return out;
  }

  Json::Object object() {
    Json::Object out;
    need('{');
    if (take('}')) return out;
    do {
      peek();
      std::string key = string();
      need(':');
      out.insert_or_assign(std::move(key), any());
    } while (take(','));
    need('}');
    return out;
  }

  Json::Array array() {
    Json::Array out;
    need('[');
    if (take(']')) return out;
    do out.push_back(any());
    while (take(','));
    need(']');
    return out;
  }

  // Names, addresses and operations are ASCII: \u escapes never occur in what the lab writes.
  std::string string() {
    std::string out;
    need('"');
    while (true) {
      if (at_ >= text_.size()) fail("early end of a string");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c != '\\') {
        out.push_back(c);
        continue;
      }
      if (at_ >= text_.size()) fail("early end of an escape");
      const char escaped = text_[at_++];
      if (escaped != '"' && escaped != '\\' && escaped != '/') fail("unsupported escape");
      out.push_back(escaped);
    }
  }

  double number() {
    const std::string rest(text_.substr(at_, 32));
    char* end = nullptr;
    const double out = std::strtod(rest.c_str(), &end);
    if (end == rest.c_str()) fail("unexpected character");
    at_ += static_cast<std::size_t>(end - rest.c_str());
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Json Json::parse(std::string_view text) { return JsonReader(text).document(); }

const Json& Json::operator[](std::string_view key) const {
  static const Json absent;
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return absent;
  const auto found = object->find(key);
  return found == object->end() ? absent : found->second;
}

double Json::number(double fallback) const {
  const auto* value = std::get_if<double>(&value_);
  return value == nullptr ? fallback : *value;
}

bool Json::boolean(bool fallback) const {
  const auto* value = std::get_if<bool>(&value_);
  return value == nullptr ? fallback : *value;
}

std::string Json::text(std::string_view fallback) const {
  const auto* value = std::get_if<std::string>(&value_);
  return value == nullptr ? std::string(fallback) : *value;
}

const Json::Array& Json::items() const {
  static const Array none;
  const auto* value = std::get_if<Array>(&value_);
  return value == nullptr ? none : *value;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  return out + "\"";
}

}  // namespace natbox
