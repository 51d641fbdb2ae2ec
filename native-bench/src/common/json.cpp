#include "common/json.hpp"

#include <cstdlib>

#include "common/text.hpp"

namespace {

constexpr int DEPTH_MAX = 16;

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::vector<JsonValue> sequence() {
    std::vector<JsonValue> values;
    for (skipBlanks(); at_ < text_.size(); skipBlanks()) values.push_back(value(0));
    return values;
  }

 private:
  [[noreturn]] void fail(const char* expected) const {
    const std::string got = at_ < text_.size() ? format("\"%c\"", text_[at_]) : "the end";
    throw UsageError(format("%s:%d: expected %s, got %s", name_.c_str(), line_, expected, got.c_str()));
  }

  void skipBlanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c != ' ' && c != '\t' && c != '\r' && c != '\n') return;
      if (c == '\n') line_++;
      at_++;
    }
  }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }

  bool takeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  JsonValue value(int depth) {
    if (depth > DEPTH_MAX) fail("less nesting");
    JsonValue value;
    value.line = line_;
    if (at_ >= text_.size()) fail("a value");
    const char c = text_[at_];
    if (c == '{') {
      object(value, depth);
    } else if (c == '[') {
      array(value, depth);
    } else if (c == '"') {
      value.type = JsonValue::Type::String;
      value.text = string();
    } else if (c == '-' || (c >= '0' && c <= '9')) {
      number(value);
    } else if (takeWord("true")) {
      value.type = JsonValue::Type::Boolean;
      value.boolean = true;
    } else if (takeWord("false")) {
      value.type = JsonValue::Type::Boolean;
    } else if (!takeWord("null")) {
      fail("a value");
    }
    return value;
  }

  void object(JsonValue& value, int depth) {
    value.type = JsonValue::Type::Object;
    take('{');
    skipBlanks();
    if (take('}')) return;
    do {
      skipBlanks();
      if (at_ >= text_.size() || text_[at_] != '"') fail("a name in quotes");
      std::string name = string();
      skipBlanks();
      if (!take(':')) fail("a colon");
      skipBlanks();
      value.members.emplace_back(std::move(name), this->value(depth + 1));
      skipBlanks();
    } while (take(','));
    if (!take('}')) fail("a comma or }");
  }

  void array(JsonValue& value, int depth) {
    value.type = JsonValue::Type::Array;
    take('[');
    skipBlanks();
    if (take(']')) return;
    do {
      skipBlanks();
      value.items.push_back(this->value(depth + 1));
      skipBlanks();
    } while (take(','));
    if (!take(']')) fail("a comma or ]");
  }

  void number(JsonValue& value) {
    value.type = JsonValue::Type::Number;
    const size_t from = at_;
    while (at_ < text_.size() && std::string_view("+-.0123456789eE").find(text_[at_]) != std::string_view::npos) at_++;
    const std::string text(text_.substr(from, at_ - from));
    char* end = nullptr;
    value.number = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size()) {
      at_ = from;
      fail("a number");
    }
  }

  unsigned hex4() {
    unsigned code = 0;
    for (int digit = 0; digit < 4; digit++, at_++) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      if (c >= '0' && c <= '9') code = code * 16 + unsigned(c - '0');
      else if (c >= 'a' && c <= 'f') code = code * 16 + unsigned(c - 'a' + 10);
      else if (c >= 'A' && c <= 'F') code = code * 16 + unsigned(c - 'A' + 10);
      else fail("four hexadecimal digits");
    }
    return code;
  }

  static void appendUtf8(std::string& out, unsigned code) {
    if (code < 0x80) {
      out += char(code);
    } else if (code < 0x800) {
      out += char(0xc0 | code >> 6);
      out += char(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      out += char(0xe0 | code >> 12);
      out += char(0x80 | (code >> 6 & 0x3f));
      out += char(0x80 | (code & 0x3f));
    } else {
      out += char(0xf0 | code >> 18);
      out += char(0x80 | (code >> 12 & 0x3f));
      out += char(0x80 | (code >> 6 & 0x3f));
      out += char(0x80 | (code & 0x3f));
    }
  }

  std::string string() {
    std::string out;
    take('"');
    for (;;) {
      if (at_ >= text_.size()) fail("the end of a string");
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) fail("no control character in a string");
      at_++;
      if (c == '"') return out;
      if (c != '\\') {
        out += c;
        continue;
      }
      const char escape = at_ < text_.size() ? text_[at_] : '\0';
      const size_t known = std::string_view("\"\\/bfnrt").find(escape);
      if (known != std::string_view::npos) {
        out += "\"\\/\b\f\n\r\t"[known];
        at_++;
      } else if (escape == 'u') {
        at_++;
        unsigned code = hex4();
        if (code >= 0xd800 && code < 0xdc00 && takeWord("\\u")) {
          const unsigned low = hex4();
          if (low < 0xdc00 || low > 0xdfff) fail("the second half of a surrogate pair");
          code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        appendUtf8(out, code);
      } else {
        fail("an escape");
      }
    }
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<JsonValue> parseJsonSequence(std::string_view text, const std::string& name) {
  return Parser(text, name).sequence();
}
