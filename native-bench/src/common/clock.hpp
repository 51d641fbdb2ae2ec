// Time: nanoseconds of the monotonic clock, the only clock the measuring code reads.
#pragma once
#include <cstdint>
#include <ctime>

using Nanos = int64_t;

constexpr Nanos MICROSECOND = 1'000;
constexpr Nanos MILLISECOND = 1'000'000;
constexpr Nanos SECOND = 1'000'000'000;

inline Nanos nowNs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Nanos(time.tv_sec) * SECOND + time.tv_nsec;
}
