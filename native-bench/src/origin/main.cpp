// origin: a back end that is never the bottleneck, and that misbehaves on request.
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <thread>

#include "common/cli.hpp"
#include "common/pattern.hpp"
#include "common/text.hpp"
#include "origin/server.hpp"

namespace {

constexpr const char* USAGE =
    "origin: an HTTP/1.1 back end for benchmarks and fault tests\n\n"
    "Usage: origin [options]\n\n"
    "Prints `ready HOST:PORT …` on standard output when it accepts connections, then serves until\n"
    "SIGTERM or SIGINT. The body of every answer is the pattern 0-9a-zA-Z-_ repeated.";

constexpr const char* HELP_AFTER =
    "Paths:\n"
    "  /bytes/10k          a body of so many bytes       /echo   JSON of the request\n"
    "  /status/503         another status                /stats  JSON of the counters per port\n"
    "  anything else       the default answer\n\n"
    "Parameters (query of a request, of --port and of --default):\n"
    "  bytes=10k  status=503  interim=1  framing=sized|chunked|close  chunk=1k\n"
    "  delay=10ms | fixed:10ms | uniform:5ms-20ms | exp:10ms\n"
    "  drip=16:10ms        16 bytes of the body each 10 ms\n"
    "  stall=500ms         the whole process stops for so long\n"
    "  fault=reset|reset-mid|close|close-mid|half-head|hang|hang-head|hang-mid|short|long|\n"
    "        garbage|bad-chunk|wrong-body\n"
    "  every=10, at=7      status, delay, drip, stall and fault only for each 10th request of this\n"
    "                      target, or only for its 7th\n"
    "  _name=anything      ignored\n\n"
    "Examples:\n"
    "  origin --port 9001 --port 9002 --port '9003?delay=exp:50ms'   one slow back end in three\n"
    "  origin --port 0 --default 'bytes=10k&framing=chunked'\n"
    "  curl 'http://127.0.0.1:9001/bytes/64?fault=reset&every=10'\n";

struct Options {
  std::string bind = "127.0.0.1";
  std::vector<std::string> ports;
  std::vector<std::string> defaults;
  unsigned threads = 1;
  std::string extraHeaders;
  bool allowNonLoopback = false;
  bool dieWithParent = false;
  int backlog = 4096;
  bool help = false;
};

Cli makeCli(Options& options) {
  Cli cli(USAGE, HELP_AFTER);
  cli.add({"port", 'p', "PORT[?PARAMS]",
           "listen here; repeat or separate with commas for\nseveral; 0 lets the system choose (default 0)",
           [&](std::string_view value) {
             for (const auto part : split(value, ',')) options.ports.emplace_back(part);
           }});
  cli.add({"bind", 0, "ADDRESS", "address to listen on (default 127.0.0.1)",
           [&](std::string_view value) { options.bind = value; }});
  cli.add({"threads", 't', "N", "threads (default 1)", [&](std::string_view value) {
             options.threads = unsigned(countOption("threads", value, 1, 256));
           }});
  cli.add({"default", 0, "PARAMS", "parameters of every answer, e.g. 'bytes=10k'",
           [&](std::string_view value) { options.defaults.emplace_back(value); }});
  for (const char* name : {"bytes", "delay", "framing", "fault"}) {
    cli.add({name, 0, "VALUE", "the same as --default NAME=VALUE",
             [&options, name](std::string_view value) {
               options.defaults.push_back(std::string(name) + "=" + std::string(value));
             }});
  }
  cli.add({"header", 'H', "'NAME: VALUE'", "another header in every answer; repeatable",
           [&](std::string_view value) {
             if (value.find(':') == std::string_view::npos || value.find('\n') != std::string_view::npos ||
                 value.find('\r') != std::string_view::npos) {
               throw UsageError("--header: expected 'Name: value', got \"" + std::string(value) + "\"");
             }
             options.extraHeaders += std::string(value) + "\r\n";
           }});
  cli.add({"backlog", 0, "N", "length of the accept queue (default 4096)",
           [&](std::string_view value) {
             options.backlog = int(countOption("backlog", value, 1, 65535));
           }});
  cli.add({"die-with-parent", 0, nullptr, "end when the process that started this ends",
           [&](std::string_view) { options.dieWithParent = true; }});
  cli.add({"allow-non-loopback", 0, nullptr, "permit an address that others can reach",
           [&](std::string_view) { options.allowNonLoopback = true; }});
  cli.add({"help", 'h', nullptr, "print this", [&](std::string_view) { options.help = true; }});
  return cli;
}

OriginPort makePort(const Options& options, std::string_view text, const Behaviour& base) {
  const size_t mark = text.find('?');
  const auto number = parseUnsigned(text.substr(0, mark));
  if (!number || *number > 65535) {
    throw UsageError("--port: expected 0..65535, got \"" + std::string(text.substr(0, mark)) + "\"");
  }
  OriginPort port;
  port.address = resolve(options.bind, uint16_t(*number)).front();
  port.behaviour = base;
  if (mark != std::string_view::npos) {
    port.behaviour = behaviourFromQuery(base, text.substr(mark + 1));
  }
  if (!port.address.isLoopback() && !options.allowNonLoopback) {
    throw UsageError("--bind: " + options.bind +
                     " can be reached from outside; add --allow-non-loopback if that is meant");
  }
  return port;
}

int run(Options& options) {
  Behaviour base;
  for (const auto& text : options.defaults) base = behaviourFromQuery(base, text);
  if (options.ports.empty()) options.ports.emplace_back("0");

  OriginShared shared;
  shared.planMaker.extraHeaders = options.extraHeaders;
  std::vector<std::vector<UniqueFd>> listeners(options.threads);
  for (const auto& text : options.ports) {
    OriginPort port = makePort(options, text, base);
    for (auto& ofThread : listeners) {
      ofThread.push_back(listenOn(port.address, options.backlog));
      port.address = localAddress(ofThread.back().get());  // the same port for the other threads
    }
    shared.ports.push_back(port);
  }
  for (unsigned thread = 0; thread < options.threads; thread++) {
    shared.counters.push_back(std::make_unique<PortCounters[]>(shared.ports.size()));
  }
  raiseFileLimit(1 << 20);
  pattern();

  // Threads inherit the mask, so the signals come to sigwait below and nowhere else.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  if (options.dieWithParent) prctl(PR_SET_PDEATHSIG, SIGTERM);

  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < options.threads; thread++) {
    threads.emplace_back(serve, std::ref(shared), thread, std::move(listeners[thread]));
  }
  std::string ready = "ready";
  for (const auto& port : shared.ports) ready += " " + port.address.text();
  puts(ready.c_str());
  fflush(stdout);

  int received = 0;
  sigwait(&signals, &received);
  shared.stopping.store(true);
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  const Cli cli = makeCli(options);
  try {
    const auto rest = cli.parse(count, arguments);
    if (options.help) {
      fputs(cli.help().c_str(), stdout);
      return 0;
    }
    if (!rest.empty()) throw UsageError("unexpected argument \"" + rest[0] + "\"");
    return run(options);
  } catch (const UsageError& error) {
    fprintf(stderr, "origin: %s\n", error.what());
    return 2;
  } catch (const std::system_error& error) {
    fprintf(stderr, "origin: %s\n", error.what());
    return 1;
  }
}
