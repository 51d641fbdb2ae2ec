// Which request begins when, and on which connection.
#include "loadgen/worker.hpp"

#include <algorithm>

/** True while a closed loop may begin a new request. */
bool Worker::mayBegin(Nanos now) const {
  if (!running_ || now >= endNs_) return false;
  return now < measureNs_ || begun_ < budget_;
}

bool Worker::canTake(const Connection& connection) const {
  return connection.state == Connection::State::Open && connection.count < config_.pipeline &&
         (config_.requestsPerConnection == 0 ||
          connection.assigned < config_.requestsPerConnection);
}

/** Moves to the next intended send time of this thread. Each thread has every T-th of them. */
void Worker::advanceIntended() {
  const double perThread =
      config_.idleEvery > 0
          ? double(config_.idleEvery) / std::max<double>(1, double(connections_.size()))
          : config_.rate > 0 ? double(SECOND) * config_.threads / config_.rate : 0;
  if (perThread == 0) return;
  if (config_.poisson) {
    intendedOffset_ += arrivals_.exponential(perThread);
  } else {
    // Multiplied, not added up: the rate must not drift in a long run.
    intendedOffset_ = perThread * (double(scheduled_) + double(id_) / config_.threads);
  }
  scheduled_++;
  intendedNs_ = startNs_ + Nanos(intendedOffset_);
}

void Worker::offer(Connection& connection) {
  if (connection.offered || config_.idleEvery > 0 || !canTake(connection)) return;
  connection.offered = true;
  offered_.push_back(indexOf(connection));
}

/** First in, first out, so that the load is spread over all connections. */
Connection* Worker::takeOffered() {
  while (!offered_.empty()) {
    Connection& connection = connections_[offered_.front()];
    offered_.pop_front();
    connection.offered = false;
    if (canTake(connection)) return &connection;
  }
  return nullptr;
}

void Worker::assign(Connection& connection, Pending pending) {
  connection.push(pending);
  connection.assigned++;
  dirty_.push_back(indexOf(connection));
}

/** Open loop: begins what is due, as far as connections are free. The rest stays due. */
void Worker::pace(Nanos now) {
  if (!config_.openLoop()) return;
  if (config_.idleEvery > 0) return paceIdle(now);
  while (!again_.empty()) {
    Connection* connection = takeOffered();
    if (connection == nullptr) return;
    Pending pending = again_.front();
    again_.pop_front();
    pending.sentNs = now;
    assign(*connection, pending);
    offer(*connection);
  }
  while (intendedNs_ <= now && intendedNs_ < endNs_ && begun_ < budget_) {
    Connection* connection = takeOffered();
    if (connection == nullptr) return;
    assign(*connection, {intendedNs_, now, picker_.pick()});
    offer(*connection);
    outstanding_++;
    if (intendedNs_ >= measureNs_) begun_++;
    advanceIntended();
  }
}

/** Idle mode: the k-th time belongs to the k-th connection, whether it is ready or not. */
void Worker::paceIdle(Nanos now) {
  while (intendedNs_ <= now && intendedNs_ < endNs_ && begun_ < budget_) {
    Connection& connection = connections_[(scheduled_ - 1) % connections_.size()];
    outstanding_++;
    if (intendedNs_ >= measureNs_) begun_++;
    if (canTake(connection)) assign(connection, {intendedNs_, now, picker_.pick()});
    else connection.waiting->push_back(intendedNs_);
    advanceIntended();
  }
}

/** Gives the connection as many requests as it can take now. */
void Worker::refill(Connection& connection, Nanos now) {
  if (!running_) return;
  if (config_.idleEvery > 0) {
    while (!connection.waiting->empty() && canTake(connection)) {
      assign(connection, {connection.waiting->front(), now, picker_.pick()});
      connection.waiting->pop_front();
    }
    return;
  }
  if (config_.openLoop()) return offer(connection);
  while (canTake(connection)) {
    if (!again_.empty()) {
      Pending pending = again_.front();
      again_.pop_front();
      pending.sentNs = now;
      assign(connection, pending);
    } else if (mayBegin(now)) {
      if (now >= measureNs_) begun_++;
      assign(connection, {now, now, picker_.pick()});
    } else {
      return;
    }
  }
}

void Worker::flushDirty() {
  for (size_t at = 0; at < dirty_.size(); at++) send(connections_[dirty_[at]]);
  dirty_.clear();
}

/** Requests that nobody could send in time are timeouts too; this also bounds every backlog. */
void Worker::expireWaiting(Nanos now) {
  const auto late = [&](Nanos intendedNs) { return now - intendedNs > config_.timeout; };
  const char* const why = "no connection was free in time";
  while (!again_.empty() && late(again_.front().intendedNs)) {
    const Pending pending = again_.front();
    again_.pop_front();
    recordFailure(Failure::Timeout, pending.intendedNs, pending.request, now, why);
  }
  for (auto& times : waiting_) {
    while (!times.empty() && late(times.front())) {
      recordFailure(Failure::Timeout, times.front(), 0, now, why);
      times.pop_front();
    }
  }
  if (!config_.openLoop() || config_.idleEvery > 0) return;
  while (intendedNs_ < endNs_ && begun_ < budget_ && late(intendedNs_)) {
    outstanding_++;
    if (intendedNs_ >= measureNs_) begun_++;
    recordFailure(Failure::Timeout, intendedNs_, 0, now, why);
    advanceIntended();
  }
}
