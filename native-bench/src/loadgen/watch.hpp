// CPU time and memory of other processes, from /proc: what the server spent for the requests.
#pragma once
#include <cstdint>
#include <vector>

struct ProcessUsage {
  double cpuSeconds = 0;      // of all threads, living or not
  double userSeconds = 0;     // of these; the kernel's own split, in ticks of 10 ms
  double systemSeconds = 0;
  uint64_t residentBytes = 0;
  unsigned processes = 0;
};

/** Sums the processes and all their descendants that exist now. CPU time is in nanoseconds where
 *  the kernel keeps it so (schedstat of living threads), otherwise in ticks. */
ProcessUsage usageOf(const std::vector<int>& pids);
