#include "common/zlib-stream.hpp"

#include <algorithm>
#include <cstdint>

namespace {

uint32_t adler32(std::string_view data) {
  constexpr uint32_t MODULUS = 65521;
  uint32_t low = 1;
  uint32_t high = 0;
  for (const char c : data) {
    low = (low + static_cast<unsigned char>(c)) % MODULUS;
    high = (high + low) % MODULUS;
  }
  return high << 16 | low;
}

}  // namespace

std::string zlibStored(std::string_view data) {
  constexpr size_t BLOCK_BYTES_MAX = 65535;
  const uint32_t checksum = adler32(data);
  std::string out("\x78\x01", 2);
  do {
    const size_t size = std::min(data.size(), BLOCK_BYTES_MAX);
    out += char(size == data.size());  // the last block; type 0: stored
    out += char(size & 0xff);
    out += char(size >> 8);
    out += char(~size & 0xff);
    out += char((~size >> 8) & 0xff);
    out += data.substr(0, size);
    data.remove_prefix(size);
  } while (!data.empty());
  for (int shift = 24; shift >= 0; shift -= 8) out += char(checksum >> shift);
  return out;
}

std::string base64(std::string_view data) {
  constexpr char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < data.size(); at += 3) {
    uint32_t bits = 0;
    for (size_t byte = 0; byte < 3; byte++) {
      bits = bits << 8 | (at + byte < data.size() ? static_cast<unsigned char>(data[at + byte]) : 0);
    }
    const size_t have = std::min<size_t>(3, data.size() - at);
    for (size_t digit = 0; digit < 4; digit++) {
      out += digit <= have ? DIGITS[bits >> (18 - 6 * digit) & 63] : '=';
    }
  }
  return out;
}
