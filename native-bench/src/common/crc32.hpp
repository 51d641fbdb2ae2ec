// CRC-32 as in zlib, gzip and PNG (ISO 3309), sliced by eight so that checking every body stays
// cheap beside receiving it.
#pragma once
#include <cstddef>
#include <cstdint>

/** Continues `crc` (0 to begin) over `size` bytes. */
uint32_t crc32(uint32_t crc, const void* data, size_t size);
