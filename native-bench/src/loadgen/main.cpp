// loadgen: starts the threads, prints what they tell, reports.
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>
#include <thread>

#include "common/pattern.hpp"
#include "common/text.hpp"
#include "loadgen/report.hpp"

namespace {

RunControl* signalled = nullptr;

void sleepUntil(Nanos at) {
  const timespec when{time_t(at / SECOND), long(at % SECOND)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
}

class Run {
 public:
  explicit Run(const LoadgenOptions& options)
      : options_(options), board_(options.run.threads), tallies_(options.run.threads) {}

  RunReport go() {
    signalled = &control_;
    std::vector<std::thread> threads;
    for (unsigned id = 0; id < options_.run.threads; id++) {
      threads.emplace_back([this, id] { tallies_[id] = runWorker(options_.run, id, control_, board_); });
    }
    watch();
    for (auto& thread : threads) thread.join();
    signalled = nullptr;
    for (const auto& tally : tallies_) report_.tally.add(tally);
    showSeconds(board_.takeAll());
    // The last second has hardly begun when a run ends by its duration.
    while (!report_.seconds.empty() && report_.seconds.back().right + report_.seconds.back().failed == 0) {
      report_.seconds.pop_back();
    }
    report_.interrupted = control_.interrupted.load();
    return std::move(report_);
  }

 private:
  /** Starts the clock, reads the watched processes at both ends, prints a line per second. */
  void watch() {
    const unsigned threads = options_.run.threads;
    while (control_.connected.load() < threads) sleepUntil(nowNs() + MILLISECOND / 5);
    const Nanos start = nowNs();
    control_.startNs.store(start, std::memory_order_release);
    report_.measureNs = start + options_.run.warmup;
    const bool watching = !options_.watchPids.empty();
    while (control_.finished.load() < threads) {
      const Nanos now = nowNs();
      if (watching && !report_.watchedBefore && now >= report_.measureNs) {
        report_.watchedBefore = usageOf(options_.watchPids);
      }
      showSeconds(board_.takeComplete());
      Nanos wake = now + 2 * MILLISECOND;
      if (now < report_.measureNs) wake = std::min(now + 50 * MILLISECOND, report_.measureNs);
      else if (options_.run.requestCount == 0) {
        // Sleep through, and be awake when it ends.
        const Nanos end = report_.measureNs + options_.run.duration;
        if (end - now > 60 * MILLISECOND) wake = now + 50 * MILLISECOND;
        else if (end > now) wake = end;
      }
      sleepUntil(wake);
    }
    if (watching) {
      if (!report_.watchedBefore) report_.watchedBefore = usageOf(options_.watchPids);
      report_.watchedAfter = usageOf(options_.watchPids);
    }
  }

  void showSeconds(const std::vector<SecondBoard::Second>& seconds) {
    for (const auto& second : seconds) {
      report_.seconds.push_back(second);
      if (!options_.quiet && second.right + second.failed > 0) {
        fputs(secondLine(report_.seconds.size(), second).c_str(), stderr);
      }
    }
  }

  const LoadgenOptions& options_;
  RunControl control_;
  SecondBoard board_;
  std::vector<Tally> tallies_;
  RunReport report_;
};

void onSignal(int) {
  if (signalled != nullptr) signalled->interrupted.store(true);
}

}  // namespace

int main(int count, char** arguments) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, onSignal);
  signal(SIGTERM, onSignal);
  try {
    const LoadgenOptions options = parseLoadgenOptions(count, arguments);
    if (options.help) {
      fputs(loadgenHelp().c_str(), stdout);
      return 0;
    }
    pattern();
    makeTlsContext(options.run.tls);  // a wrong --ca shows here, not in a thread
    const RunReport report = Run(options).go();
    fputs((options.json ? reportJson(options, report) : reportText(options, report)).c_str(), stdout);
    if (report.interrupted) return 1;
    return options.failOnError && report.tally.failed() > 0 ? 1 : 0;
  } catch (const UsageError& error) {
    fprintf(stderr, "loadgen: %s\n", error.what());
    return 2;
  } catch (const std::system_error& error) {
    fprintf(stderr, "loadgen: %s\n", error.what());
    return 1;
  }
}
