#include "loadgen/report.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace {

constexpr double PERCENTILES[] = {50, 75, 90, 95, 99, 99.9, 99.99};
constexpr const char* PERCENTILE_NAMES[] = {"p50", "p75", "p90", "p95", "p99", "p999", "p9999"};

std::string percentilesJson(const Histogram& histogram, bool encoded) {
  std::string out = format("{\"unit\":\"ns\",\"count\":%llu,\"min\":%lld,\"mean\":%.1f,\"stdev\":%.1f",
                           (unsigned long long)histogram.total(), (long long)histogram.min(),
                           histogram.mean(), histogram.standardDeviation());
  for (size_t at = 0; at < std::size(PERCENTILES); at++) {
    out += format(",\"%s\":%lld", PERCENTILE_NAMES[at],
                  (long long)histogram.atPercentile(PERCENTILES[at]));
  }
  out += format(",\"max\":%lld", (long long)histogram.max());
  if (encoded) out += ",\"histogram\":\"" + histogram.encode() + "\"";
  return out + "}";
}

std::string failuresJson(const Tally& tally) {
  std::string out = format("{\"total\":%llu", (unsigned long long)tally.failed());
  for (size_t at = 0; at < FAILURES; at++) {
    out += format(",\"%s\":%llu", FAILURE_NAMES[at], (unsigned long long)tally.failures[at]);
  }
  return out + "}";
}

std::string samplesJson(const Tally& tally) {
  std::string out = "[";
  for (const auto& sample : tally.samples) {
    if (out.size() > 1) out += ",";
    out += format("{\"kind\":\"%s\",", FAILURE_NAMES[size_t(sample.failure)]);
    if (sample.request != NO_REQUEST) out += format("\"request\":%u,", sample.request);
    out += "\"detail\":";
    appendJsonString(out, sample.detail);
    out += "}";
  }
  return out + "]";
}

std::string statusesJson(const Tally& tally) {
  std::string out = "{";
  for (size_t status = 0; status < tally.statuses.size(); status++) {
    if (tally.statuses[status] == 0) continue;
    if (out.size() > 1) out += ",";
    out += format("\"%zu\":%llu", status, (unsigned long long)tally.statuses[status]);
  }
  return out + "}";
}

std::string secondsJson(const RunReport& report) {
  std::string out = "[";
  for (const auto& second : report.seconds) {
    if (out.size() > 1) out += ",";
    out += format("{\"ok\":%llu,\"errors\":%llu,\"p50\":%lld,\"p99\":%lld,\"max\":%lld}",
                  (unsigned long long)second.right, (unsigned long long)second.failed,
                  (long long)second.p50, (long long)second.p99, (long long)second.max);
  }
  return out + "]";
}

std::string configJson(const LoadgenOptions& options) {
  const RunConfig& run = options.run;
  std::string out = "{\"url\":";
  appendJsonString(out, options.url);
  out += format(
      ",\"mode\":\"%s\",\"connections\":%u,\"threads\":%u,\"pipeline\":%u,"
      "\"requestsPerConnection\":%llu,\"rate\":%.3f,\"arrivals\":\"%s\",\"tickMs\":%.3f,\"idleEveryMs\":%.3f,"
      "\"warmupMs\":%.3f,\"durationMs\":%.3f,\"requests\":%llu,\"timeoutMs\":%.3f,\"mixEntries\":%zu}",
      run.idleEvery > 0 ? "idle" : run.rate > 0 ? "open" : "closed", run.connections, run.threads,
      run.pipeline, (unsigned long long)run.requestsPerConnection, run.rate,
      run.poisson ? "poisson" : "constant", double(run.tick) * 1e-6, double(run.idleEvery) * 1e-6, double(run.warmup) * 1e-6,
      run.requestCount > 0 ? 0.0 : double(run.duration) * 1e-6,
      (unsigned long long)run.requestCount, double(run.timeout) * 1e-6, run.requests.size());
  return out;
}

std::string watchedJson(const RunReport& report) {
  const ProcessUsage& before = *report.watchedBefore;
  const ProcessUsage& after = *report.watchedAfter;
  const double cpu = after.cpuSeconds - before.cpuSeconds;
  const uint64_t requests = report.tally.right + report.tally.failed();
  return format(
      "{\"processes\":%u,\"cpuSeconds\":%.6f,\"userSeconds\":%.2f,\"systemSeconds\":%.2f,"
      "\"cpuMicrosPerRequest\":%.3f,\"residentBytesBefore\":%llu,\"residentBytesAfter\":%llu}",
      after.processes, cpu, after.userSeconds - before.userSeconds,
      after.systemSeconds - before.systemSeconds, requests > 0 ? cpu * 1e6 / double(requests) : 0.0,
      (unsigned long long)before.residentBytes, (unsigned long long)after.residentBytes);
}

}  // namespace

double RunReport::elapsedSeconds() const {
  return double(std::max<Nanos>(tally.endedNs - measureNs, 1)) / double(SECOND);
}

std::string reportJson(const LoadgenOptions& options, const RunReport& report) {
  const Tally& tally = report.tally;
  const double elapsed = report.elapsedSeconds();
  const auto count = [](const char* name, uint64_t value) {
    return format(",\"%s\":%llu", name, (unsigned long long)value);
  };
  std::string out = "{\"config\":" + configJson(options);
  out += report.interrupted ? ",\"interrupted\":true" : ",\"interrupted\":false";
  out += format(",\"elapsedSeconds\":%.6f", elapsed);
  out += count("requests", tally.right + tally.failed()) + count("ok", tally.right);
  out += format(",\"rps\":%.3f", double(tally.right) / elapsed);
  out += ",\"errors\":" + failuresJson(tally) + ",\"errorSamples\":" + samplesJson(tally);
  out += count("errorsInWarmup", tally.failuresInWarmup);
  out += ",\"statuses\":" + statusesJson(tally);
  out += count("bytesIn", tally.bytesIn) + count("bytesOut", tally.bytesOut);
  out += ",\"connections\":{\"opened\":" + std::to_string(tally.connectionsOpened) +
         count("closedWhileIdle", tally.closedWhileIdle) + "}";
  out += count("sentAgain", tally.sentAgain) + count("abandoned", tally.abandoned);
  out += ",\"latency\":" + percentilesJson(tally.latency, true);
  out += ",\"serviceTime\":" + percentilesJson(tally.serviceTime, false);
  out += ",\"connectTime\":" + percentilesJson(tally.connectTime, false);
  out += format(
      ",\"client\":{\"userSeconds\":%.6f,\"systemSeconds\":%.6f,\"waitingSeconds\":%.6f,"
      "\"busiestThreadShare\":%.4f,\"saturated\":%s,\"starved\":%s}",
      tally.cpuUserSeconds, tally.cpuSystemSeconds, tally.cpuWaitSeconds, tally.cpuShare,
      report.saturated() ? "true" : "false", report.starved() ? "true" : "false");
  if (report.watchedBefore && report.watchedAfter) out += ",\"watched\":" + watchedJson(report);
  if (!tally.tlsDescription.empty()) {
    out += ",\"tls\":";
    appendJsonString(out, tally.tlsDescription);
  }
  return out + ",\"seconds\":" + secondsJson(report) + "}\n";
}

std::string reportText(const LoadgenOptions& options, const RunReport& report) {
  const Tally& tally = report.tally;
  const double elapsed = report.elapsedSeconds();
  std::string out = format("%llu right answers in %.2f s: %.0f a second, %.2f MB/s in, %.2f MB/s out\n",
                           (unsigned long long)tally.right, elapsed, double(tally.right) / elapsed,
                           double(tally.bytesIn) / elapsed / 1e6, double(tally.bytesOut) / elapsed / 1e6);
  out += options.run.openLoop() ? "latency from the intended send time\n" : "latency from the send time\n";
  for (size_t at = 0; at < std::size(PERCENTILES); at++) {
    out += format("  %6g %%  %s\n", PERCENTILES[at],
                  humanDuration(tally.latency.atPercentile(PERCENTILES[at])).c_str());
  }
  out += format("     max  %s\n", humanDuration(tally.latency.max()).c_str());
  out += format("errors: %llu", (unsigned long long)tally.failed());
  for (size_t at = 0; at < FAILURES; at++) {
    if (tally.failures[at] > 0) {
      out += format("  %s %llu", FAILURE_NAMES[at], (unsigned long long)tally.failures[at]);
    }
  }
  out += "\n";
  for (const auto& sample : tally.samples) {
    out += format("  %s: %s\n", FAILURE_NAMES[size_t(sample.failure)], sample.detail.c_str());
  }
  if (tally.failures[size_t(Failure::Timeout)] > 0) {
    out += "note: requests that timed out are not in the percentiles, which are therefore too low\n";
  }
  out += format("connections opened: %llu; client CPU: %.2f s user, %.2f s system, %.2f s waiting for a core, "
                "busiest thread %.0f %%\n",
                (unsigned long long)tally.connectionsOpened, tally.cpuUserSeconds,
                tally.cpuSystemSeconds, tally.cpuWaitSeconds, tally.cpuShare * 100);
  if (report.saturated()) {
    out += "note: the client used up its core, so it may have been the bottleneck; add --threads\n";
  }
  if (report.starved()) {
    out += "note: the client waited for a core, which is in the latencies; leave it one\n";
  }
  if (report.watchedBefore && report.watchedAfter) out += "watched: " + watchedJson(report) + "\n";
  return out;
}

std::string secondLine(size_t number, const SecondBoard::Second& second) {
  return format("%4zu s  %8llu ok  %6llu errors  p50 %s  p99 %s  max %s\n", number,
                (unsigned long long)second.right, (unsigned long long)second.failed,
                humanDuration(second.p50).c_str(), humanDuration(second.p99).c_str(),
                humanDuration(second.max).c_str());
}
