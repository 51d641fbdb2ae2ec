#include "common/cli.hpp"

#include <cstring>
#include <fstream>
#include <sstream>

#include "common/text.hpp"

const CliOption& Cli::find(std::string_view name) const {
  for (const auto& option : options_) {
    if (name.size() > 2 && name.substr(0, 2) == "--" && name.substr(2) == option.longName) {
      return option;
    }
    if (name.size() == 2 && option.shortName != 0 && name[1] == option.shortName) return option;
  }
  throw UsageError("unknown option " + std::string(name) + "; --help lists them");
}

std::vector<std::string> Cli::parse(int count, char** arguments) const {
  std::vector<std::string> rest;
  for (int at = 1; at < count; at++) {
    const std::string_view argument = arguments[at];
    if (argument.size() < 2 || argument[0] != '-') {
      rest.emplace_back(argument);
      continue;
    }
    const size_t equals = argument.substr(0, 2) == "--" ? argument.find('=') : std::string::npos;
    const CliOption& option = find(argument.substr(0, equals));
    if (option.valueName == nullptr) {
      if (equals != std::string::npos) {
        throw UsageError(format("--%s takes no value", option.longName));
      }
      option.apply({});
    } else if (equals != std::string::npos) {
      option.apply(argument.substr(equals + 1));
    } else if (at + 1 < count) {
      option.apply(arguments[++at]);
    } else {
      throw UsageError(format("--%s needs a value: %s", option.longName, option.valueName));
    }
  }
  return rest;
}

std::string Cli::help() const {
  std::string out = usage_ + "\n\nOptions:\n";
  for (const auto& option : options_) {
    std::string left = option.shortName ? format("  -%c, --", option.shortName) : "      --";
    left += option.longName;
    if (option.valueName) left += std::string(" ") + option.valueName;
    if (left.size() < 34) left.resize(34, ' ');
    else left += "\n" + std::string(34, ' ');
    for (const char c : std::string_view(option.help)) {
      left += c;
      if (c == '\n') left += std::string(34, ' ');
    }
    out += left + "\n";
  }
  return out + "\n" + examples_;
}

uint64_t countOption(const char* option, std::string_view text, uint64_t least, uint64_t most) {
  const auto value = parseUnsigned(text);
  if (!value || *value < least || *value > most) {
    throw UsageError(format("--%s: expected a whole number %llu..%llu, got \"%.*s\"", option,
                            (unsigned long long)least, (unsigned long long)most, int(text.size()),
                            text.data()));
  }
  return *value;
}

uint64_t bytesOption(const char* option, std::string_view text) {
  const auto value = parseByteSize(text);
  if (!value) {
    throw UsageError(format("--%s: expected a size such as 64, 10k or 1m, got \"%.*s\"", option,
                            int(text.size()), text.data()));
  }
  return *value;
}

int64_t durationOption(const char* option, std::string_view text) {
  const auto value = parseDuration(text);
  if (!value) {
    throw UsageError(format("--%s: expected a duration such as 250us, 10ms or 30s, got \"%.*s\"",
                            option, int(text.size()), text.data()));
  }
  return *value;
}

std::string fileOption(const char* option, std::string_view path) {
  std::ifstream file{std::string(path), std::ios::binary};
  std::ostringstream content;
  if (!file || !(content << file.rdbuf() || file.peek() == EOF)) {
    throw UsageError(format("--%s: cannot read %.*s: %s", option, int(path.size()), path.data(),
                            strerror(errno)));
  }
  return content.str();
}
