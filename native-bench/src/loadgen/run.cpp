#include "loadgen/run.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

namespace {
constexpr size_t SAMPLES_PER_FAILURE = 3;
}

ThreadTimes ThreadTimes::now() {
  ThreadTimes times;
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  times.user = double(usage.ru_utime.tv_sec) + double(usage.ru_utime.tv_usec) * 1e-6;
  times.system = double(usage.ru_stime.tv_sec) + double(usage.ru_stime.tv_usec) * 1e-6;
  // Nanoseconds on a core, then nanoseconds of waiting for one; absent without schedstats.
  std::ifstream file("/proc/thread-self/schedstat");
  double running = 0;
  double waiting = 0;
  if (file >> running >> waiting) times.waiting = waiting * 1e-9;
  return times;
}

uint64_t Tally::failed() const {
  uint64_t sum = 0;
  for (const uint64_t count : failures) sum += count;
  return sum;
}

void Tally::add(const Tally& other) {
  right += other.right;
  for (size_t at = 0; at < FAILURES; at++) failures[at] += other.failures[at];
  for (size_t at = 0; at < statuses.size(); at++) statuses[at] += other.statuses[at];
  failuresInWarmup += other.failuresInWarmup;
  bytesIn += other.bytesIn;
  bytesOut += other.bytesOut;
  connectionsOpened += other.connectionsOpened;
  closedWhileIdle += other.closedWhileIdle;
  sentAgain += other.sentAgain;
  abandoned += other.abandoned;
  latency.add(other.latency);
  serviceTime.add(other.serviceTime);
  connectTime.add(other.connectTime);
  for (const auto& sample : other.samples) {
    const auto same = std::count_if(samples.begin(), samples.end(), [&](const auto& known) {
      return known.failure == sample.failure;
    });
    if (size_t(same) < SAMPLES_PER_FAILURE) samples.push_back(sample);
  }
  cpuUserSeconds += other.cpuUserSeconds;
  cpuSystemSeconds += other.cpuSystemSeconds;
  cpuWaitSeconds += other.cpuWaitSeconds;
  cpuShare = std::max(cpuShare, other.cpuShare);
  waitShare = std::max(waitShare, other.waitShare);
  endedNs = std::max(endedNs, other.endedNs);
  if (tlsDescription.empty()) tlsDescription = other.tlsDescription;
}

void SecondBoard::hand(size_t second, uint64_t right, uint64_t failed, const Histogram& latency) {
  const std::lock_guard lock(mutex_);
  if (second < taken_) return;
  if (second - taken_ >= slots_.size()) slots_.resize(second - taken_ + 1);
  Slot& slot = slots_[second - taken_];
  slot.handed++;
  slot.counts.right += right;
  slot.counts.failed += failed;
  slot.latency.add(latency);
}

SecondBoard::Second SecondBoard::finish(Slot& slot) {
  slot.counts.p50 = slot.latency.atPercentile(50);
  slot.counts.p99 = slot.latency.atPercentile(99);
  slot.counts.max = slot.latency.max();
  return slot.counts;
}

std::vector<SecondBoard::Second> SecondBoard::takeComplete() {
  const std::lock_guard lock(mutex_);
  std::vector<Second> out;
  while (!slots_.empty() && slots_.front().handed == threads_) {
    out.push_back(finish(slots_.front()));
    slots_.erase(slots_.begin());
    taken_++;
  }
  return out;
}

std::vector<SecondBoard::Second> SecondBoard::takeAll() {
  const std::lock_guard lock(mutex_);
  std::vector<Second> out;
  for (auto& slot : slots_) out.push_back(finish(slot));
  slots_.clear();
  return out;
}
