// Command line options: long and short names, `--name value` or `--name=value`.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct CliOption {
  const char* longName;   // without dashes
  char shortName;         // 0 when there is none
  const char* valueName;  // nullptr for a switch
  const char* help;
  std::function<void(std::string_view value)> apply;  // throws UsageError
};

class Cli {
 public:
  Cli(std::string usage, std::string examples) : usage_(usage), examples_(examples) {}

  void add(CliOption option) { options_.push_back(std::move(option)); }

  /** Applies every option, returns the other arguments. Throws UsageError. */
  std::vector<std::string> parse(int count, char** arguments) const;

  std::string help() const;

 private:
  const CliOption& find(std::string_view name) const;

  std::string usage_;
  std::string examples_;
  std::vector<CliOption> options_;
};

/** Readers that name the option in their message. `least` is the smallest value allowed. */
uint64_t countOption(const char* option, std::string_view text, uint64_t least, uint64_t most);
uint64_t bytesOption(const char* option, std::string_view text);
int64_t durationOption(const char* option, std::string_view text);
std::string fileOption(const char* option, std::string_view path);
