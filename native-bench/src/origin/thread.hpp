// One thread of the origin: its listening sockets, its connections, its timers.
#pragma once
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/event-loop.hpp"
#include "common/prng.hpp"
#include "origin/connection.hpp"
#include "origin/server.hpp"

class OriginThread {
 public:
  OriginThread(OriginShared& shared, size_t thread, std::vector<UniqueFd> listeners);
  void run();

 private:
  struct Timer {
    Nanos at;
    uint32_t slot;  // or ACCEPT_SLOT: accept again on port `generation`
    uint32_t generation;
    bool operator>(const Timer& other) const { return at > other.at; }
  };
  static constexpr uint32_t ACCEPT_SLOT = ~uint32_t(0);

  enum class Progress { Done, Blocked, Closed };

  // Only this thread writes its counters, so a plain add that others may read is enough.
  static void bump(std::atomic<uint64_t>& counter, uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  // thread.cpp: what happens when
  void waitOutStall();
  void accept(size_t port);
  void close(Connection& connection);
  void startTimer(Connection& connection, Nanos after);
  void fireTimers();
  void drive(Connection& connection);
  bool advance(Connection& connection);
  bool consume(Connection& connection, std::string_view& input);
  bool keep(Connection& connection, std::string_view input, bool ownsInput);
  void discard(Connection& connection);
  void drain(Connection& connection);

  // intake.cpp: requests
  bool takeRequest(Connection& connection, std::string_view& input);
  bool headDone(Connection& connection, std::string_view& input);
  bool takeBody(Connection& connection, std::string_view& input);
  void beginAnswer(Connection& connection);
  void refuse(Connection& connection, unsigned status, const std::string& why);
  std::shared_ptr<const Plan> planFor(uint32_t port, std::string_view target, RequestShape shape);
  static std::string echoHead(const RequestHead& head);
  std::string echoBody(const Connection& connection) const;

  // answer.cpp: answers
  Progress play(Connection& connection);
  Progress playBody(Connection& connection, const Step& step);
  bool flush(Connection& connection);
  void linger(Connection& connection);

  OriginShared& shared_;
  PortCounters* const counters_;
  std::vector<UniqueFd> listeners_;
  EventLoop loop_;
  Prng prng_;
  std::string input_;  // what was just received, for whichever connection is driven
  std::string batch_;  // what will be sent next, for the same
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> free_;
  std::unordered_map<std::string, std::shared_ptr<const Plan>> plans_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};
