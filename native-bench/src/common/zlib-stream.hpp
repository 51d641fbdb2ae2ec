// A zlib stream without zlib: stored blocks (RFC 1950, RFC 1951 §3.2.4), and base64 (RFC 4648).
#pragma once
#include <string>
#include <string_view>

/** A valid zlib stream that holds `data` uncompressed: 5 bytes more per 64 KB, 6 in all. */
std::string zlibStored(std::string_view data);

std::string base64(std::string_view data);
