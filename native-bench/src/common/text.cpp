#include "common/text.hpp"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; }

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

/** Splits `1.5ms` into 1.5 and `ms`; nothing when it does not begin with a plain decimal. */
std::optional<std::pair<double, std::string>> numberAndUnit(std::string_view text) {
  size_t at = 0;
  bool dot = false;
  while (at < text.size() && ((text[at] >= '0' && text[at] <= '9') || (text[at] == '.' && !dot))) {
    dot = dot || text[at] == '.';
    at++;
  }
  if (at == 0 || (at == 1 && dot) || at > 24) return std::nullopt;
  std::string unit;
  for (char c : text.substr(at)) unit += lower(c);
  return std::make_pair(std::strtod(std::string(text.substr(0, at)).c_str(), nullptr), unit);
}

}  // namespace

std::optional<uint64_t> parseUnsigned(std::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;  // 19 digits never overflow 64 bits
  uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + uint64_t(c - '0');
  }
  return value;
}

std::optional<uint64_t> parseByteSize(std::string_view text) {
  uint64_t factor = 1;
  if (!text.empty() && lower(text.back()) == 'b') text.remove_suffix(1);
  if (!text.empty()) {
    const char unit = lower(text.back());
    if (unit == 'k') factor = 1024;
    if (unit == 'm') factor = 1024 * 1024;
    if (unit == 'g') factor = 1024 * 1024 * 1024;
    if (factor != 1) text.remove_suffix(1);
  }
  const auto value = parseUnsigned(text);
  if (!value || *value > (uint64_t(1) << 50) / factor) return std::nullopt;
  return *value * factor;
}

std::optional<Nanos> parseDuration(std::string_view text) {
  const auto parsed = numberAndUnit(text);
  if (!parsed) return std::nullopt;
  const auto& [number, unit] = *parsed;
  double factor = 0;
  if (unit == "ns") factor = 1;
  if (unit == "us") factor = double(MICROSECOND);
  if (unit == "ms") factor = double(MILLISECOND);
  if (unit == "s") factor = double(SECOND);
  if (unit == "m") factor = 60 * double(SECOND);
  if (unit == "h") factor = 3600 * double(SECOND);
  if (factor == 0) return number == 0 && unit.empty() ? std::optional<Nanos>(0) : std::nullopt;
  const double value = number * factor;
  if (value > 1e17) return std::nullopt;  // three years: beyond any run, well inside 64 bits
  return Nanos(std::llround(value));
}

std::optional<double> parseRate(std::string_view text) {
  const auto parsed = numberAndUnit(text);
  if (!parsed) return std::nullopt;
  const auto& [number, unit] = *parsed;
  const double factor = unit.empty() ? 1 : unit == "k" ? 1e3 : unit == "m" ? 1e6 : 0;
  if (factor == 0 || !std::isfinite(number)) return std::nullopt;
  return number * factor;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equalsIgnoreCase(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (size_t at = 0; at < left.size(); at++) {
    if (lower(left[at]) != lower(right[at])) return false;
  }
  return true;
}

std::string percentDecode(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); at++) {
    if (text[at] == '%' && at + 2 < text.size() && hexDigit(text[at + 1]) >= 0 &&
        hexDigit(text[at + 2]) >= 0) {
      out += char(hexDigit(text[at + 1]) * 16 + hexDigit(text[at + 2]));
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

void appendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += format("\\u%04x", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string format(const char* pattern, ...) {
  va_list args;
  va_start(args, pattern);
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(nullptr, 0, pattern, args);
  va_end(args);
  std::string out(size_t(length), '\0');
  vsnprintf(out.data(), size_t(length) + 1, pattern, again);
  va_end(again);
  return out;
}

std::string humanDuration(Nanos value) {
  if (value < MILLISECOND) return format("%.0f us", double(value) / double(MICROSECOND));
  if (value < SECOND) return format("%.2f ms", double(value) / double(MILLISECOND));
  return format("%.2f s", double(value) / double(SECOND));
}
