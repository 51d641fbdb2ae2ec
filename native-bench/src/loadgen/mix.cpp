#include "loadgen/mix.hpp"

#include <algorithm>

#include "common/json.hpp"
#include "common/pattern.hpp"
#include "common/text.hpp"

namespace {

constexpr uint64_t TEXT_BYTES_MAX = 64 * 1024;

[[noreturn]] void refuse(const std::string& where, const char* expected) {
  throw UsageError(where + ": expected " + expected);
}

const std::string& stringAt(const JsonValue& value, const std::string& where) {
  if (value.type != JsonValue::Type::String) refuse(where, "a string");
  return value.text;
}

uint64_t sizeAt(const JsonValue& value, const std::string& where) {
  if (value.type == JsonValue::Type::Number && value.number >= 0 && value.number < 1e15 &&
      value.number == double(uint64_t(value.number))) {
    return uint64_t(value.number);
  }
  const auto size = value.type == JsonValue::Type::String ? parseByteSize(value.text) : std::nullopt;
  if (!size) refuse(where, "a size such as 64 or \"10k\"");
  return *size;
}

uint32_t crcAt(const JsonValue& value, const std::string& where) {
  const std::string& text = stringAt(value, where);
  char* end = nullptr;
  const unsigned long crc = strtoul(text.c_str(), &end, 16);
  if (text.size() != 8 || *end != '\0') refuse(where, "eight hexadecimal digits");
  return uint32_t(crc);
}

Expectation parseExpectation(const JsonValue& value, Expectation expect, const std::string& where) {
  if (value.type != JsonValue::Type::Object) refuse(where, "an object");
  for (const auto& [name, member] : value.members) {
    const std::string at = where + "." + name;
    if (name == "status") {
      const bool number = member.type == JsonValue::Type::Number;
      expect.statuses = parseStatuses(number ? format("%.0f", member.number) : stringAt(member, at), at);
    } else if (name == "body") {
      expect.body = stringAt(member, at);
    } else if (name == "prefix") {
      expect.prefix = stringAt(member, at);
    } else if (name == "bytes") {
      expect.bytes = sizeAt(member, at);
    } else if (name == "crc32") {
      expect.crc32 = crcAt(member, at);
    } else {
      refuse(at, "status, body, prefix, bytes or crc32");
    }
  }
  return expect;
}

RequestTemplate parseEntry(const JsonValue& value, const RequestTemplate& base,
                           const std::string& file) {
  const std::string where = format("%s:%d", file.c_str(), value.line);
  if (value.type != JsonValue::Type::Object) refuse(where, "an object for each request");
  RequestTemplate entry = base;
  for (const auto& [name, member] : value.members) {
    const std::string at = where + ": " + name;
    if (name == "method") {
      entry.method = stringAt(member, at);
    } else if (name == "path") {
      entry.path = stringAt(member, at);
    } else if (name == "headers") {
      if (member.type != JsonValue::Type::Object) refuse(at, "an object of strings");
      for (const auto& [header, text] : member.members) {
        entry.headers.emplace_back(header, stringAt(text, at + "." + header));
      }
    } else if (name == "body") {
      entry.body = stringAt(member, at);
    } else if (name == "bodyBytes") {
      entry.bodyBytes = sizeAt(member, at);
    } else if (name == "weight") {
      if (member.type != JsonValue::Type::Number || !(member.number > 0) || member.number > 1e9) {
        refuse(at, "a number above 0");
      }
      entry.weight = member.number;
    } else if (name == "expect") {
      entry.expect = parseExpectation(member, base.expect, at);
    } else {
      refuse(at, "method, path, headers, body, bodyBytes, weight or expect");
    }
  }
  return entry;
}

bool breaksLine(const std::string& text) {
  return text.find_first_of(std::string("\r\n\0", 3)) != std::string::npos;
}

}  // namespace

bool Expectation::allowsStatus(unsigned status) const {
  if (statuses.empty()) return status / 100 == 2;
  return std::any_of(statuses.begin(), statuses.end(), [&](unsigned allowed) {
    return allowed < 10 ? status / 100 == allowed : status == allowed;
  });
}

std::vector<unsigned> parseStatuses(std::string_view text, const std::string& where) {
  std::vector<unsigned> statuses;
  for (const auto part : split(text, ',')) {
    const bool family = part.size() == 3 && part.substr(1) == "xx";
    const auto number = parseUnsigned(family ? part.substr(0, 1) : part);
    const bool known = number && (family ? *number >= 2 && *number <= 5 : *number >= 200 && *number <= 599);
    if (!known) refuse(where, "statuses such as 200, 2xx or 200,204");
    statuses.push_back(unsigned(*number));
  }
  return statuses;
}

Request makeRequest(const RequestTemplate& from, const std::string& host) {
  const uint64_t bodyBytes = from.body.empty() ? from.bodyBytes : from.body.size();
  const std::string method = !from.method.empty() ? from.method : bodyBytes > 0 ? "POST" : "GET";
  if (from.path.empty() || (from.path[0] != '/' && from.path != "*")) {
    throw UsageError("path \"" + from.path + "\": expected it to begin with /");
  }
  if (breaksLine(method + from.path) || (method + from.path).find(' ') != std::string::npos) {
    throw UsageError("method or path \"" + from.path + "\": expected no blanks or line ends");
  }
  Request request;
  request.isHead = method == "HEAD";
  request.expect = from.expect;
  std::string fields;
  bool hasHost = false;
  bool hasFraming = false;
  for (const auto& [name, value] : from.headers) {
    if (name.empty() || breaksLine(name + value) || name.find_first_of(": \t") != std::string::npos) {
      throw UsageError("header \"" + name + "\": expected a name and a value without line ends");
    }
    hasHost = hasHost || equalsIgnoreCase(name, "host");
    hasFraming = hasFraming || equalsIgnoreCase(name, "content-length") ||
                 equalsIgnoreCase(name, "transfer-encoding");
    fields += name + ": " + value + "\r\n";
  }
  request.text = method + " " + from.path + " HTTP/1.1\r\n";
  if (!hasHost) request.text += "Host: " + host + "\r\n";
  request.text += fields;
  const bool wantsLength = bodyBytes > 0 || method == "POST" || method == "PUT" || method == "PATCH";
  // With a framing header of its own the body is sent as it is written: a test may want it wrong.
  if (wantsLength && !hasFraming) {
    request.text += format("Content-Length: %llu\r\n", (unsigned long long)bodyBytes);
  }
  request.text += "\r\n";
  if (!from.body.empty()) {
    request.text += from.body;
  } else if (bodyBytes <= TEXT_BYTES_MAX) {
    request.text.append(pattern(), 0, size_t(bodyBytes));
  } else {
    request.patternBytes = bodyBytes;
  }
  return request;
}

std::vector<RequestTemplate> parseMix(const std::string& text, const std::string& name,
                                      const RequestTemplate& base) {
  std::vector<RequestTemplate> entries;
  for (const auto& value : parseJsonSequence(text, name)) {
    if (value.type != JsonValue::Type::Array) {
      entries.push_back(parseEntry(value, base, name));
      continue;
    }
    for (const auto& item : value.items) entries.push_back(parseEntry(item, base, name));
  }
  if (entries.empty()) refuse(name, "at least one request");
  return entries;
}

Picker::Picker(const std::vector<double>& weights, bool inTurn, uint64_t seed, size_t first)
    : keep_(weights.size(), 1.0),
      alias_(weights.size(), 0),
      inTurn_(inTurn),
      turn_(uint32_t(first % weights.size())),
      prng_(seed) {
  double sum = 0;
  for (const double weight : weights) sum += weight;
  std::vector<double> share;
  std::vector<uint32_t> small;
  std::vector<uint32_t> large;
  for (const double weight : weights) {
    const uint32_t at = uint32_t(share.size());
    share.push_back(weight * double(weights.size()) / sum);
    (share.back() < 1 ? small : large).push_back(at);
    alias_[at] = at;
  }
  while (!small.empty() && !large.empty()) {
    const uint32_t less = small.back();
    const uint32_t more = large.back();
    small.pop_back();
    keep_[less] = share[less];
    alias_[less] = more;
    share[more] -= 1 - share[less];
    if (share[more] < 1) {
      large.pop_back();
      small.push_back(more);
    }
  }
}

uint32_t Picker::pick() {
  const uint32_t count = uint32_t(keep_.size());
  if (count == 1) return 0;
  if (inTurn_) {
    const uint32_t at = turn_;
    turn_ = turn_ + 1 == count ? 0 : turn_ + 1;
    return at;
  }
  const uint32_t at = prng_.below(count);
  return prng_.unit() < keep_[at] ? at : alias_[at];
}
