// What became of each request.
#include <algorithm>

#include "loadgen/worker.hpp"

namespace {
constexpr size_t SAMPLES_PER_FAILURE = 3;
}

/** Whether a request belongs to the measured time. A closed loop that ends by its duration counts
 *  what completes within; all others count what was intended within and wait for its end. */
bool Worker::counts(Nanos intendedNs, Nanos now) const {
  if (config_.openLoop() || config_.requestCount > 0) return intendedNs >= measureNs_;
  return now >= measureNs_ && now <= endNs_;
}

void Worker::recordRight(const Pending& pending, Nanos now) {
  if (config_.openLoop()) outstanding_--;
  if (!counts(pending.intendedNs, now)) return;
  moveToSecond(now);
  completed_++;
  tally_.right++;
  secondRight_++;
  tally_.latency.record(now - pending.intendedNs);
  tally_.serviceTime.record(now - pending.sentNs);
  secondLatency_.record(now - pending.intendedNs);
}

void Worker::recordFailure(Failure failure, Nanos intendedNs, uint32_t request, Nanos now,
                           const std::string& why) {
  // Neither a failed connect nor an answer that nobody asked for ends a request. In a closed loop
  // by count a failed connect uses one up all the same, otherwise a run against a dead server would
  // never end.
  const bool ofRequest = request != NO_REQUEST;
  const bool usesUpOne = ofRequest || (failure == Failure::Connect && !config_.openLoop());
  if (config_.openLoop() && ofRequest) outstanding_--;
  if (!counts(intendedNs, now)) {
    if (now < measureNs_ || intendedNs < measureNs_) tally_.failuresInWarmup++;
    return;
  }
  moveToSecond(now);
  if (usesUpOne && !ofRequest) begun_++;
  if (usesUpOne) completed_++;
  tally_.failures[size_t(failure)]++;
  secondFailed_++;
  const auto same = std::count_if(tally_.samples.begin(), tally_.samples.end(),
                                  [&](const auto& sample) { return sample.failure == failure; });
  if (size_t(same) < SAMPLES_PER_FAILURE) tally_.samples.push_back({failure, request, why});
}

void Worker::moveToSecond(Nanos now) {
  const size_t second = size_t(std::max<Nanos>(now - measureNs_, 0) / SECOND);
  while (second_ < second) {
    board_.hand(second_++, secondRight_, secondFailed_, secondLatency_);
    if (secondLatency_.total() > 0) secondLatency_.clear();
    secondRight_ = 0;
    secondFailed_ = 0;
  }
}
