#include "common/pattern.hpp"

const std::string& pattern() {
  static const std::string bytes = [] {
    std::string made(PATTERN_BYTES, '\0');
    for (size_t at = 0; at < made.size(); at++) made[at] = ALPHABET[at % 64];
    return made;
  }();
  return bytes;
}
