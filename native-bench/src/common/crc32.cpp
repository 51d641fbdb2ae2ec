#include "common/crc32.hpp"

#include <array>
#include <cstring>

namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables makeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (value & 1 ? 0xEDB88320u : 0);
    tables[0][byte] = value;
  }
  for (uint32_t byte = 0; byte < 256; byte++) {
    for (size_t slice = 1; slice < 8; slice++) {
      const uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables TABLES = makeTables();

}  // namespace

uint32_t crc32(uint32_t crc, const void* data, size_t size) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the slices assume little endian");
  const auto* at = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size >= 8; size -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    word ^= crc;
    crc = 0;
    for (size_t slice = 0; slice < 8; slice++) {
      crc ^= TABLES[7 - slice][(word >> (slice * 8)) & 0xff];
    }
  }
  for (; size > 0; size--, at++) crc = (crc >> 8) ^ TABLES[0][(crc ^ *at) & 0xff];
  return ~crc;
}
