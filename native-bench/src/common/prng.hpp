// A small seeded generator (xorshift64*, Vigna 2016), so that a run can be repeated.
#pragma once
#include <cmath>
#include <cstdint>

class Prng {
 public:
  explicit Prng(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 0xD1B54A32D192ED03ull) {
    if (state_ == 0) state_ = 1;
    for (int round = 0; round < 4; round++) next();
  }

  uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Dull;
  }

  /** Uniform in [0, 1). */
  double unit() { return double(next() >> 11) * 0x1.0p-53; }

  /** Uniform in [0, bound); the bias of the multiplication is below 2^-32 for bounds below 2^32. */
  uint32_t below(uint32_t bound) { return uint32_t(((next() >> 32) * bound) >> 32); }

  /** Exponential with the given mean. */
  double exponential(double mean) { return -mean * std::log1p(-unit()); }

 private:
  uint64_t state_;
};
