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
  bool clientWasBusy() const { return tally.cpuShare > 0.9; }
};

std::string reportJson(const LoadgenOptions& options, const RunReport& report);
std::string reportText(const LoadgenOptions& options, const RunReport& report);
std::string secondLine(size_t number, const SecondBoard::Second& second);
