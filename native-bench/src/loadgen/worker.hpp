// One thread of the load generator: its connections, its schedule, its account.
//
// The caller's duty is only to set `control.startNs` once all threads have reported `connected`.
#pragma once
#include <deque>
#include <string>
#include <vector>

#include "common/event-loop.hpp"
#include "loadgen/connection.hpp"
#include "loadgen/run.hpp"

class Worker {
 public:
  Worker(const RunConfig& config, unsigned id, RunControl& control, SecondBoard& board);
  Tally run();

 private:
  // worker.cpp: the course of a run
  void connectAll();
  void startClock();
  void loopOnce(Nanos wakeAtNs);
  bool finished(Nanos now) const;
  Nanos wakeTime(Nanos now) const;
  Nanos endOfTick(Nanos at) const;
  void tick(Nanos now);
  void noteMeasureStart();
  void finish();

  // schedule: which request begins when
  bool mayBegin(Nanos now) const;
  bool canTake(const Connection& connection) const;
  void pace(Nanos now);
  void paceIdle(Nanos now);
  void advanceIntended();
  void offer(Connection& connection);
  Connection* takeOffered();
  void assign(Connection& connection, Pending pending);
  void refill(Connection& connection, Nanos now);
  void flushDirty();
  void expireWaiting(Nanos now);

  // connections.cpp: opening, sending, receiving, closing
  void reconnectDue(Nanos now);
  void open(Connection& connection, Nanos now);
  void connectFailed(Connection& connection, Nanos now, const std::string& why);
  void established(Connection& connection, Nanos now);
  void goOn(Connection& connection, uint32_t events);
  void handshake(Connection& connection);
  void send(Connection& connection);
  void receive(Connection& connection);
  bool take(Connection& connection, std::string_view input, Nanos now);
  void checkBody(Connection& connection);
  void answered(Connection& connection, Nanos now);
  void afterAnswers(Connection& connection, Nanos now);
  void ended(Connection& connection, Nanos now, const char* how);
  void fail(Connection& connection, Failure failure, Nanos now, const std::string& why);
  void close(Connection& connection, Nanos retryAtNs);

  // account.cpp: what became of each request
  bool counts(Nanos intendedNs, Nanos now) const;
  void recordRight(const Pending& pending, Nanos now);
  void recordFailure(Failure failure, Nanos intendedNs, uint32_t request, Nanos now,
                     const std::string& why);
  void moveToSecond(Nanos now);
  uint32_t indexOf(const Connection& connection) const {
    return uint32_t(&connection - connections_.data());
  }

  const RunConfig& config_;
  const unsigned id_;
  RunControl& control_;
  SecondBoard& board_;
  EventLoop loop_;
  TlsContextPtr tls_;
  Picker picker_;
  Prng arrivals_;
  Tally tally_;
  std::string input_;

  std::vector<Connection> connections_;
  std::vector<std::deque<Nanos>> waiting_;  // idle mode, one per connection
  std::deque<uint32_t> toConnect_;          // at once
  std::deque<uint32_t> toConnectLater_;     // after a failure, ordered by time
  unsigned connecting_ = 0;
  unsigned settled_ = 0;  // connections that were opened or failed once, before the start
  std::deque<uint32_t> offered_;
  std::vector<uint32_t> dirty_;
  std::deque<Pending> again_;  // requests to send once more

  bool running_ = false;
  bool measuring_ = false;
  Nanos startNs_ = 0;
  Nanos measureNs_ = 0;
  Nanos endNs_ = 0;
  Nanos nextTickNs_ = 0;
  Nanos tickEvery_ = 0;
  uint64_t budget_ = 0;     // by count: requests this thread begins
  uint64_t begun_ = 0;      // of those
  uint64_t completed_ = 0;  // of those
  uint64_t outstanding_ = 0;  // open loop: begun and not yet ended, in warm-up too
  uint64_t scheduled_ = 0;    // open loop: index of the next intended request
  double intendedOffset_ = 0;  // of it from the start, ns
  Nanos intendedNs_ = 0;

  size_t second_ = 0;
  uint64_t secondRight_ = 0;
  uint64_t secondFailed_ = 0;
  Histogram secondLatency_ = SecondBoard::makeHistogram();
  ThreadTimes timesBefore_;
};
