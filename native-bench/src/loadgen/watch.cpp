#include "loadgen/watch.hpp"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "common/text.hpp"

namespace {

std::string readAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::vector<int> numbersIn(const std::string& directory) {
  std::vector<int> numbers;
  DIR* handle = opendir(directory.c_str());
  if (handle == nullptr) return numbers;
  while (const dirent* entry = readdir(handle)) {
    const auto number = parseUnsigned(entry->d_name);
    if (number) numbers.push_back(int(*number));
  }
  closedir(handle);
  return numbers;
}

void addDescendants(int pid, std::set<int>& found) {
  if (!found.insert(pid).second) return;
  const std::string tasks = format("/proc/%d/task", pid);
  for (const int thread : numbersIn(tasks)) {
    std::istringstream children(readAll(tasks + "/" + std::to_string(thread) + "/children"));
    for (int child = 0; children >> child;) addDescendants(child, found);
  }
}

void addProcess(int pid, ProcessUsage& usage) {
  const std::string root = format("/proc/%d", pid);
  const std::string stat = readAll(root + "/stat");
  const size_t afterName = stat.rfind(')');  // the name may contain anything, blanks too
  if (afterName == std::string::npos) return;
  std::istringstream fields(stat.substr(afterName + 1));
  std::string skipped;
  for (int field = 3; field <= 13; field++) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  const double tick = double(sysconf(_SC_CLK_TCK));
  user /= tick;
  system /= tick;
  double exact = 0;
  for (const int thread : numbersIn(root + "/task")) {
    std::istringstream times(readAll(root + "/task/" + std::to_string(thread) + "/schedstat"));
    double nanos = 0;
    if (times >> nanos) exact += nanos * 1e-9;
  }
  usage.userSeconds += user;
  usage.systemSeconds += system;
  // Threads that ended count only in the ticks: if they are more by more than rounding, take them.
  usage.cpuSeconds += exact > 0 && user + system - exact < 0.05 ? exact : user + system;
  std::istringstream memory(readAll(root + "/statm"));
  uint64_t total = 0;
  uint64_t resident = 0;
  memory >> total >> resident;
  usage.residentBytes += resident * uint64_t(sysconf(_SC_PAGESIZE));
  usage.processes++;
}

}  // namespace

ProcessUsage usageOf(const std::vector<int>& pids) {
  std::set<int> found;
  for (const int pid : pids) addDescendants(pid, found);
  ProcessUsage usage;
  for (const int pid : found) addProcess(pid, usage);
  return usage;
}
