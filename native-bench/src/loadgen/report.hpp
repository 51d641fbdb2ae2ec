// The summary of a run, as text and as JSON.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "loadgen/options.hpp"
#include "loadgen/watch.hpp"

struct RunReport {
  Tally tally;
  std::vector<SecondBoard::Second> seconds;
  Nanos measureNs = 0;
  bool interrupted = false;
  std::optional<ProcessUsage> watchedBefore;
  std::optional<ProcessUsage> watchedAfter;

  double elapsedSeconds() const;
  /** The client hardly rested: the figures may be its own. */
  bool saturated() const { return tally.cpuShare + tally.waitShare > 0.9; }
  /** The client was kept from a core: its waiting is in the latencies. */
  bool starved() const { return tally.waitShare > 0.05; }
};

std::string reportJson(const LoadgenOptions& options, const RunReport& report);
std::string reportText(const LoadgenOptions& options, const RunReport& report);
std::string secondLine(size_t number, const SecondBoard::Second& second);
