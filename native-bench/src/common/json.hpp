// Reading of JSON (RFC 8259): enough for small configuration files, with positions in errors.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct JsonValue {
  enum class Type { Null, Boolean, Number, String, Array, Object };
  Type type = Type::Null;
  bool boolean = false;
  double number = 0;
  std::string text;
  std::vector<JsonValue> items;
  std::vector<std::pair<std::string, JsonValue>> members;
  int line = 1;  // where it began
};

/** All values of `text`, one after the other (a JSON document, or JSON lines). Throws UsageError
 *  whose message begins with `name:LINE`. */
std::vector<JsonValue> parseJsonSequence(std::string_view text, const std::string& name);
