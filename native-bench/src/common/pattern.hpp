// The bytes of generated bodies: byte i is ALPHABET[i % 64], in answers and in requests, so that
// either side can compute what it should receive.
#pragma once
#include <cstddef>
#include <string>

constexpr char ALPHABET[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
constexpr size_t PATTERN_BYTES = 1 << 20;  // a multiple of 64: the pattern continues seamlessly

/** PATTERN_BYTES bytes of the pattern; made once. */
const std::string& pattern();
