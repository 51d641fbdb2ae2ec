#include "loadgen/worker.hpp"

#include <algorithm>

namespace {

constexpr Nanos CONNECT_PHASE_MAX = 30 * SECOND;
constexpr Nanos NEVER = INT64_MAX / 2;

/** The share of thread `id` when `total` is divided as evenly as possible. */
uint64_t shareOf(uint64_t total, unsigned threads, unsigned id) {
  return total / threads + (id < total % threads ? 1 : 0);
}

}  // namespace

Worker::Worker(const RunConfig& config, unsigned id, RunControl& control, SecondBoard& board)
    : config_(config),
      id_(id),
      control_(control),
      board_(board),
      tls_(makeTlsContext(config.tls)),
      picker_(config.weights, config.inTurn, config.seed + id * 7919,
              // in turn, the threads begin at different entries
              config.weights.size() * id / config.threads),
      arrivals_(config.seed ^ (0xA881 + id)),
      input_(256 * 1024, '\0'),
      connections_(size_t(shareOf(config.connections, config.threads, id))),
      budget_(config.requestCount > 0 ? shareOf(config.requestCount, config.threads, id)
                                      : UINT64_MAX) {
  tickEvery_ = std::clamp<Nanos>(config.timeout / 20, MILLISECOND, 50 * MILLISECOND);
  if (config_.idleEvery > 0) waiting_.resize(connections_.size());
  for (size_t at = 0; at < connections_.size(); at++) {
    connections_[at].ring.resize(config.pipeline);
    if (!waiting_.empty()) connections_[at].waiting = &waiting_[at];
    toConnect_.push_back(uint32_t(at));
  }
}

Tally Worker::run() {
  connectAll();
  startClock();
  for (;;) {
    const Nanos now = nowNs();
    if (!measuring_ && now >= measureNs_) noteMeasureStart();
    if (finished(now)) break;
    reconnectDue(now);
    pace(now);
    flushDirty();
    loopOnce(wakeTime(now));
  }
  finish();
  return std::move(tally_);
}

/** Sets the connections up before the clock starts, so that an open loop does not begin with a
 *  backlog. What cannot be opened is tried again, and counted, during the run. */
void Worker::connectAll() {
  const Nanos giveUpNs = nowNs() + CONNECT_PHASE_MAX;
  while (settled_ < connections_.size() && nowNs() < giveUpNs && !control_.interrupted.load()) {
    reconnectDue(nowNs());
    loopOnce(nowNs() + 10 * MILLISECOND);
  }
  control_.connected.fetch_add(1);
  while (control_.startNs.load(std::memory_order_acquire) == 0) loopOnce(nowNs() + MILLISECOND / 2);
}

void Worker::startClock() {
  startNs_ = control_.startNs.load(std::memory_order_acquire);
  measureNs_ = startNs_ + config_.warmup;
  endNs_ = config_.requestCount > 0 ? NEVER : measureNs_ + config_.duration;
  intendedNs_ = startNs_;
  advanceIntended();
  running_ = true;
  const Nanos now = nowNs();
  for (auto& connection : connections_) {
    if (connection.state != Connection::State::Open) continue;
    if (config_.openLoop()) offer(connection);
    else refill(connection, now);
  }
}

void Worker::loopOnce(Nanos wakeAtNs) {
  loop_.wait(wakeAtNs, [this](uint64_t key, uint32_t events) {
    Connection& connection = connections_[uint32_t(key)];
    if (connection.generation == uint32_t(key >> 32)) goOn(connection, events);
  });
  const Nanos now = nowNs();
  if (now >= nextTickNs_) tick(now);
}

bool Worker::finished(Nanos now) const {
  if (control_.interrupted.load(std::memory_order_relaxed)) return true;
  if (config_.openLoop()) return outstanding_ == 0 && (intendedNs_ >= endNs_ || begun_ >= budget_);
  return config_.requestCount > 0 ? completed_ >= budget_ : now >= endNs_;
}

Nanos Worker::wakeTime(Nanos now) const {
  Nanos wake = nextTickNs_;
  if (!measuring_) wake = std::min(wake, measureNs_);
  if (!toConnectLater_.empty()) {
    wake = std::min(wake, connections_[toConnectLater_.front()].retryAtNs);
  }
  if (!config_.openLoop()) return std::min(wake, endNs_);
  // With all connections busy there is nothing to do at the intended time: an answer wakes us.
  const bool couldSend = config_.idleEvery > 0 || !offered_.empty();
  if (couldSend && begun_ < budget_ && intendedNs_ < endNs_) {
    wake = std::min(wake, endOfTick(intendedNs_));
  }
  return std::max(wake, now);
}

/** Waking up costs several microseconds, on a virtual machine more than the request itself. */
Nanos Worker::endOfTick(Nanos at) const {
  if (config_.tick == 0) return at;
  const Nanos past = (at - startNs_) % config_.tick;
  return past == 0 ? at : at + config_.tick - past;
}

void Worker::tick(Nanos now) {
  nextTickNs_ = now + tickEvery_;
  for (auto& connection : connections_) {
    if (connection.state == Connection::State::Open) {
      if (connection.count > 0 && now - connection.at(0).intendedNs > config_.timeout) {
        fail(connection, Failure::Timeout, now, "no complete answer in time");
      }
    } else if (connection.state != Connection::State::Closed &&
               now - connection.connectStartedNs > config_.timeout) {
      connectFailed(connection, now, "timed out");
    }
  }
  if (!running_) return;
  expireWaiting(now);
  if (measuring_) moveToSecond(now);
}

void Worker::noteMeasureStart() {
  measuring_ = true;
  timesBefore_ = ThreadTimes::now();
}

void Worker::finish() {
  const Nanos now = nowNs();
  if (!measuring_) noteMeasureStart();
  const ThreadTimes times = ThreadTimes::now();
  tally_.cpuUserSeconds = times.user - timesBefore_.user;
  tally_.cpuSystemSeconds = times.system - timesBefore_.system;
  tally_.cpuWaitSeconds = times.waiting - timesBefore_.waiting;
  tally_.endedNs = now;
  const double elapsed = double(std::max<Nanos>(now - measureNs_, 1)) / double(SECOND);
  tally_.cpuShare = (tally_.cpuUserSeconds + tally_.cpuSystemSeconds) / elapsed;
  tally_.waitShare = tally_.cpuWaitSeconds / elapsed;
  for (const auto& connection : connections_) tally_.abandoned += connection.count;
  board_.hand(second_, secondRight_, secondFailed_, secondLatency_);
  control_.finished.fetch_add(1);
}

Tally runWorker(const RunConfig& config, unsigned id, RunControl& control, SecondBoard& board) {
  return Worker(config, id, control, board).run();
}
