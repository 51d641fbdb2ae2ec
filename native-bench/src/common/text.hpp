// Reading and writing of small texts: numbers with units, lists, JSON strings.
#pragma once
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.hpp"

/** What the user typed is wrong; the message says where, what was expected and what came. */
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/** Decimal digits only, no sign; nothing on overflow. */
std::optional<uint64_t> parseUnsigned(std::string_view text);

/** `64`, `10k`, `1m`, `1g`, optional trailing `b`; powers of 1024. Case does not matter. */
std::optional<uint64_t> parseByteSize(std::string_view text);

/** `250us`, `10ms`, `1.5s`, `2m`, or `0`; a unit is required otherwise. */
std::optional<Nanos> parseDuration(std::string_view text);

/** A plain decimal such as `2500` or `0.5`, finite and not negative; `k` and `m` are powers of 1000. */
std::optional<double> parseRate(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
bool equalsIgnoreCase(std::string_view left, std::string_view right);

/** Percent-decodes; a `%` without two hex digits stays as it is. `+` stays `+`. */
std::string percentDecode(std::string_view text);

/** Appends `text` as a JSON string with its quotes; bytes that are not ASCII are written as \u00xx. */
void appendJsonString(std::string& out, std::string_view text);

/** printf into a string. */
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/** `950 us`, `12.3 ms`, `1.20 s`. */
std::string humanDuration(Nanos value);
