// The command line of the load generator.
#pragma once
#include <string>
#include <vector>

#include "loadgen/run.hpp"

struct LoadgenOptions {
  RunConfig run;
  std::string url;
  bool json = false;
  bool quiet = false;
  bool failOnError = false;
  bool help = false;
  std::vector<int> watchPids;
};

/** Throws UsageError. Afterwards `run` is complete and within the limits of this machine. */
LoadgenOptions parseLoadgenOptions(int count, char** arguments);

std::string loadgenHelp();
