#include "loadgen/options.hpp"

#include <algorithm>
#include <fstream>

#include "common/cli.hpp"
#include "common/text.hpp"

namespace {

constexpr const char* USAGE =
    "loadgen: an HTTP/1.1 load generator\n\n"
    "Usage: loadgen [options] http[s]://HOST[:PORT]/PATH\n\n"
    "Without --rate it is a closed loop: each connection asks again when it is answered. With\n"
    "--rate it is an open loop: requests are due at constant intervals, and latency is measured\n"
    "from the time a request was due, so that a stalled server cannot hide its pauses.";

constexpr const char* HELP_AFTER =
    "Exit status: 0 done, 1 errors happened and --fail-on-error was given (or it was interrupted),\n"
    "2 wrong usage.\n\n"
    "Mix file (JSON array, or one object a line; all but path optional):\n"
    "  {\"method\": \"POST\", \"path\": \"/a\", \"headers\": {\"X-A\": \"1\"}, \"body\": \"text\",\n"
    "   \"weight\": 3, \"expect\": {\"status\": \"200,201\", \"bytes\": \"10k\", \"prefix\": \"{\"}}\n\n"
    "Examples:\n"
    "  loadgen -c 64 -d 10s http://127.0.0.1:8080/\n"
    "  loadgen -c 64 -d 30s --warmup 3s --rate 5000 --expect-bytes 64 http://127.0.0.1:8080/bytes/64\n"
    "  loadgen -c 8 -p 16 -n 100000 --json http://127.0.0.1:8080/ > result.json\n"
    "  loadgen -c 32 --requests-per-connection 1 http://127.0.0.1:8080/         connection churn\n"
    "  loadgen -c 10000 --idle-every 8s -d 60s http://127.0.0.1:8080/           idle connections\n"
    "  loadgen -c 64 --mix requests.json --expect-status 200 http://127.0.0.1:8080\n";

/** What only makes sense once all options are read. */
struct Draft {
  RequestTemplate request;
  std::string mixFile;
  bool allowNonLoopback = false;
  bool durationGiven = false;
};

uint32_t crcOption(std::string_view text) {
  char* end = nullptr;
  const std::string copy(text);
  const unsigned long crc = strtoul(copy.c_str(), &end, 16);
  if (copy.size() != 8 || *end != '\0') {
    throw UsageError("--expect-crc32: expected eight hexadecimal digits, got \"" + copy + "\"");
  }
  return uint32_t(crc);
}

void addLoadOptions(Cli& cli, LoadgenOptions& options, Draft& draft) {
  RunConfig& run = options.run;
  cli.add({"connections", 'c', "N", "connections in all (default 64)", [&](std::string_view value) {
             run.connections = unsigned(countOption("connections", value, 1, 1'000'000));
           }});
  cli.add({"threads", 't', "N", "threads (default 1)", [&](std::string_view value) {
             run.threads = unsigned(countOption("threads", value, 1, 256));
           }});
  cli.add({"duration", 'd', "TIME", "measure for so long (default 10s)", [&](std::string_view value) {
             run.duration = durationOption("duration", value);
             draft.durationGiven = true;
             if (run.duration < MILLISECOND) throw UsageError("--duration: expected at least 1ms");
           }});
  cli.add({"requests", 'n', "N", "measure so many requests instead", [&](std::string_view value) {
             run.requestCount = countOption("requests", value, 1, 1'000'000'000'000);
           }});
  cli.add({"rate", 'r', "N", "open loop: requests a second in all",
           [&](std::string_view value) {
             const auto rate = parseRate(value);
             if (!rate || *rate < 0.001 || *rate > 1e8) {
               throw UsageError("--rate: expected 0.001..100m requests a second, got \"" +
                                std::string(value) + "\"");
             }
             run.rate = *rate;
           }});
  cli.add({"arrivals", 0, "KIND", "open loop: constant (default) or poisson intervals",
           [&](std::string_view value) {
             if (value != "constant" && value != "poisson") {
               throw UsageError("--arrivals: expected constant or poisson, got \"" +
                                std::string(value) + "\"");
             }
             run.poisson = value == "poisson";
           }});
  cli.add({"tick", 0, "TIME",
           "open loop: wake up once a tick for all that is due\n(default 0: for each request)",
           [&](std::string_view value) {
             run.tick = durationOption("tick", value);
             if (run.tick > SECOND) throw UsageError("--tick: expected at most 1s");
           }});
  cli.add({"idle-every", 0, "TIME",
           "hold the connections idle: each asks once in this\ntime, evenly spread",
           [&](std::string_view value) {
             run.idleEvery = durationOption("idle-every", value);
             if (run.idleEvery < MILLISECOND) throw UsageError("--idle-every: expected at least 1ms");
           }});
  cli.add({"pipeline", 'p', "N", "requests under way per connection (default 1)",
           [&](std::string_view value) {
             run.pipeline = unsigned(countOption("pipeline", value, 1, 1024));
           }});
  cli.add({"requests-per-connection", 0, "N", "then close and connect anew (churn)",
           [&](std::string_view value) {
             run.requestsPerConnection =
                 countOption("requests-per-connection", value, 1, 1'000'000'000);
           }});
  cli.add({"warmup", 'w', "TIME", "the same load before, not counted (default 0)",
           [&](std::string_view value) { run.warmup = durationOption("warmup", value); }});
  cli.add({"timeout", 0, "TIME", "a request not answered by then is an error\n(default 10s)",
           [&](std::string_view value) {
             run.timeout = durationOption("timeout", value);
             if (run.timeout < MILLISECOND) throw UsageError("--timeout: expected at least 1ms");
           }});
  cli.add({"seed", 0, "N", "of the mix and of poisson arrivals (default 1)",
           [&](std::string_view value) { run.seed = countOption("seed", value, 0, UINT32_MAX); }});
}

void addRequestOptions(Cli& cli, LoadgenOptions& options, Draft& draft) {
  RequestTemplate& request = draft.request;
  cli.add({"method", 'm', "NAME", "default GET, with a body POST",
           [&](std::string_view value) { request.method = value; }});
  cli.add({"header", 'H', "'NAME: VALUE'", "another header; repeatable; Host replaces the usual one",
           [&](std::string_view value) {
             const size_t colon = value.find(':');
             if (colon == std::string_view::npos || colon == 0) {
               throw UsageError("--header: expected 'Name: value', got \"" + std::string(value) + "\"");
             }
             request.headers.emplace_back(value.substr(0, colon), trim(value.substr(colon + 1)));
           }});
  cli.add({"body", 'b', "TEXT", "body of the request", [&](std::string_view value) { request.body = value; }});
  cli.add({"body-file", 0, "FILE", "body of the request",
           [&](std::string_view value) { request.body = fileOption("body-file", value); }});
  cli.add({"body-bytes", 0, "SIZE", "body of so many bytes (0-9a-zA-Z-_ repeated)",
           [&](std::string_view value) { request.bodyBytes = bytesOption("body-bytes", value); }});
  cli.add({"mix", 0, "FILE", "requests from a file, picked by weight",
           [&](std::string_view value) { draft.mixFile = value; }});
  cli.add({"in-turn", 0, nullptr, "take the requests of the mix in turn, without weights",
           [&](std::string_view) { options.run.inTurn = true; }});
  cli.add({"expect-status", 0, "LIST", "200, 2xx or 200,204 (default 2xx)",
           [&](std::string_view value) {
             request.expect.statuses = parseStatuses(value, "--expect-status");
           }});
  cli.add({"expect-body", 0, "TEXT", "the body must be exactly this",
           [&](std::string_view value) { request.expect.body = value; }});
  cli.add({"expect-prefix", 0, "TEXT", "the body must begin with this",
           [&](std::string_view value) { request.expect.prefix = value; }});
  cli.add({"expect-bytes", 0, "SIZE", "the body must have this length",
           [&](std::string_view value) { request.expect.bytes = bytesOption("expect-bytes", value); }});
  cli.add({"expect-crc32", 0, "HEX", "the body must have this CRC-32",
           [&](std::string_view value) { request.expect.crc32 = crcOption(value); }});
}

void addOtherOptions(Cli& cli, LoadgenOptions& options, Draft& draft) {
  cli.add({"insecure", 'k', nullptr, "TLS: do not check the certificate",
           [&](std::string_view) { options.run.tls.verify = false; }});
  cli.add({"ca", 0, "FILE", "TLS: trust these certificates (PEM) only",
           [&](std::string_view value) { options.run.tls.caFile = value; }});
  cli.add({"server-name", 0, "NAME", "TLS: name to ask for and to check (default HOST)",
           [&](std::string_view value) { options.run.tls.serverName = value; }});
  cli.add({"tls-resume", 0, nullptr, "TLS: resume sessions on new connections",
           [&](std::string_view) { options.run.tls.resume = true; }});
  cli.add({"watch-pid", 0, "PID,…", "report CPU time and memory of these processes and\ntheir children over the measured time",
           [&](std::string_view value) {
             for (const auto part : split(value, ',')) {
               options.watchPids.push_back(int(countOption("watch-pid", part, 1, INT32_MAX)));
             }
           }});
  cli.add({"json", 'j', nullptr, "print the summary as JSON", [&](std::string_view) { options.json = true; }});
  cli.add({"quiet", 'q', nullptr, "no lines per second", [&](std::string_view) { options.quiet = true; }});
  cli.add({"fail-on-error", 0, nullptr, "exit with 1 when any request failed",
           [&](std::string_view) { options.failOnError = true; }});
  cli.add({"allow-non-loopback", 0, nullptr, "permit a target on another machine",
           [&](std::string_view) { draft.allowNonLoopback = true; }});
  cli.add({"help", 'h', nullptr, "print this", [&](std::string_view) { options.help = true; }});
}

Cli makeCli(LoadgenOptions& options, Draft& draft) {
  Cli cli(USAGE, HELP_AFTER);
  addLoadOptions(cli, options, draft);
  addRequestOptions(cli, options, draft);
  addOtherOptions(cli, options, draft);
  return cli;
}

struct Url {
  bool tls = false;
  std::string authority;  // as for the Host header
  std::string host;
  uint16_t port = 0;
  std::string path;
};

Url parseUrl(const std::string& text) {
  const auto refuse = [&](const char* expected) {
    throw UsageError("URL: expected " + std::string(expected) + ", got \"" + text + "\"");
  };
  Url url;
  size_t at = 0;
  if (text.compare(0, 7, "http://") == 0) {
    at = 7;
  } else if (text.compare(0, 8, "https://") == 0) {
    at = 8;
    url.tls = true;
  } else {
    refuse("http://HOST[:PORT]/PATH or https://…");
  }
  const size_t slash = std::min(text.find_first_of("/?#", at), text.size());
  url.authority = text.substr(at, slash - at);
  url.path = text.substr(slash, text.find('#') - slash);
  if (url.path.empty() || url.path[0] != '/') url.path.insert(0, "/");
  std::string port = url.tls ? "443" : "80";
  const size_t bracket = url.authority.find(']');
  const size_t colon = url.authority.find(':', bracket == std::string::npos ? 0 : bracket);
  url.host = url.authority.substr(0, colon);
  if (colon != std::string::npos) port = url.authority.substr(colon + 1);
  if (bracket != std::string::npos) {
    if (url.host.size() < 4 || url.host[0] != '[') refuse("an IPv6 address in brackets");
    url.host = url.host.substr(1, bracket - 1);
  }
  const auto number = parseUnsigned(port);
  if (!number || *number < 1 || *number > 65535) refuse("a port 1..65535");
  if (url.host.empty() || url.host.find('@') != std::string::npos) refuse("a host");
  url.port = uint16_t(*number);
  return url;
}

void checkTogether(const LoadgenOptions& options, const Draft& draft) {
  const RunConfig& run = options.run;
  if (run.requestCount > 0 && draft.durationGiven) {
    throw UsageError("--requests and --duration: give only one of them");
  }
  if (run.rate > 0 && run.idleEvery > 0) {
    throw UsageError("--rate and --idle-every: give only one; the latter sets the rate");
  }
  if (run.poisson && run.rate == 0) throw UsageError("--arrivals: needs --rate");
  if (run.tick > 0 && !run.openLoop()) throw UsageError("--tick: needs --rate or --idle-every");
  if (run.threads > run.connections) {
    throw UsageError(format("--threads %u: expected no more than --connections, %u", run.threads,
                            run.connections));
  }
  if (run.tls.on && !tlsAvailable()) {
    throw UsageError("https: this build has no TLS; install libssl-dev and run make again");
  }
}

void checkFileLimit(const RunConfig& run) {
  const uint64_t needed = run.connections + 8 * run.threads + 32;
  const uint64_t limit = raiseFileLimit(needed);
  if (limit >= needed) return;
  throw UsageError(format(
      "%u connections need %llu open files, the hard limit is %llu; run `ulimit -n %llu` first (as "
      "root, or raise it in /etc/security/limits.conf), or use fewer connections",
      run.connections, (unsigned long long)needed, (unsigned long long)limit,
      (unsigned long long)needed));
}

/** Each connection to one address needs a local port of its own. */
void checkPortRange(const RunConfig& run) {
  constexpr const char* PATH = "/proc/sys/net/ipv4/ip_local_port_range";
  std::ifstream file(PATH);
  unsigned low = 0;
  unsigned high = 0;
  if (!(file >> low >> high) || run.connections <= high - low + 1) return;
  throw UsageError(
      format("%u connections need as many local ports, %s allows %u; run `sysctl -w "
             "net.ipv4.ip_local_port_range=\"1024 65535\"` first, or use fewer connections",
             run.connections, PATH, high - low + 1));
}

}  // namespace

LoadgenOptions parseLoadgenOptions(int count, char** arguments) {
  LoadgenOptions options;
  Draft draft;
  const Cli cli = makeCli(options, draft);
  const auto rest = cli.parse(count, arguments);
  if (options.help) return options;
  if (rest.size() != 1) {
    throw UsageError(format("expected one URL, got %zu; --help shows examples", rest.size()));
  }
  RunConfig& run = options.run;
  options.url = rest[0];
  const Url url = parseUrl(rest[0]);
  run.tls.on = url.tls;
  if (run.tls.serverName.empty()) run.tls.serverName = url.host;
  checkTogether(options, draft);

  run.address = resolve(url.host, url.port).front();
  if (!run.address.isLoopback() && !draft.allowNonLoopback) {
    throw UsageError(url.host + " (" + run.address.text() +
                     ") is not this machine; add --allow-non-loopback if you may load it");
  }
  draft.request.path = url.path;
  std::vector<RequestTemplate> templates{draft.request};
  if (!draft.mixFile.empty()) {
    templates = parseMix(fileOption("mix", draft.mixFile), draft.mixFile, draft.request);
  }
  for (const auto& entry : templates) {
    run.requests.push_back(makeRequest(entry, url.authority));
    run.weights.push_back(entry.weight);
  }
  checkFileLimit(run);
  checkPortRange(run);
  return options;
}

std::string loadgenHelp() {
  LoadgenOptions options;
  Draft draft;
  return makeCli(options, draft).help();
}
