// What a run is, what its threads share while it goes on, and what each brings home.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "common/clock.hpp"
#include "common/histogram.hpp"
#include "common/socket.hpp"
#include "loadgen/mix.hpp"
#include "loadgen/transport.hpp"

struct RunConfig {
  Address address;
  TlsOptions tls;
  std::vector<Request> requests;
  std::vector<double> weights;
  bool inTurn = false;
  uint64_t seed = 1;
  unsigned connections = 64;
  unsigned threads = 1;
  unsigned pipeline = 1;
  uint64_t requestsPerConnection = 0;  // 0: as many as the server allows
  double rate = 0;                     // requests a second; 0: closed loop
  bool poisson = false;                // arrivals of the open loop; otherwise evenly spaced
  Nanos tick = 0;  // of the open loop: what is due within one leaves by its end; 0: each when due
  Nanos idleEvery = 0;                 // each connection asks once in this time; 0: not this mode
  Nanos warmup = 0;
  Nanos duration = 10 * SECOND;
  uint64_t requestCount = 0;  // 0: by duration
  Nanos timeout = 10 * SECOND;

  bool openLoop() const { return rate > 0 || idleEvery > 0; }
};

/** How a request can go wrong. Each request that is counted ends as right or as one of these;
 *  only failed connects are counted per attempt. */
enum class Failure : uint8_t { Connect, Reset, Timeout, Malformed, Status, Body };
constexpr size_t FAILURES = 6;
constexpr const char* FAILURE_NAMES[FAILURES] = {"connect",   "reset",  "timeout",
                                                 "malformed", "status", "body"};

/** In place of an index into `RunConfig::requests`: the failure was not that of a request. */
constexpr uint32_t NO_REQUEST = UINT32_MAX;

struct FailureSample {
  Failure failure;
  uint32_t request;  // or NO_REQUEST
  std::string detail;
};

/** What the calling thread has used so far, in seconds. */
struct ThreadTimes {
  double user = 0;
  double system = 0;
  double waiting = 0;  // ready to run, with every core taken

  static ThreadTimes now();
};

/** The account of one thread; merged at the end. */
struct Tally {
  uint64_t right = 0;
  std::array<uint64_t, FAILURES> failures{};
  uint64_t failuresInWarmup = 0;
  std::array<uint64_t, 600> statuses{};
  uint64_t bytesIn = 0;
  uint64_t bytesOut = 0;
  uint64_t connectionsOpened = 0;
  uint64_t closedWhileIdle = 0;  // by the server, without a request under way: no error
  uint64_t sentAgain = 0;        // requests that were behind a failed one or behind a close
  uint64_t abandoned = 0;        // under way when a closed loop ended by its duration
  Histogram latency;             // of right answers, from the intended send time
  Histogram serviceTime;         // of the same, from the actual send time
  Histogram connectTime;         // including the TLS handshake
  std::vector<FailureSample> samples;
  double cpuUserSeconds = 0;
  double cpuSystemSeconds = 0;
  double cpuWaitSeconds = 0;  // ready to run, with every core taken by others
  double cpuShare = 0;        // of its core, by the busiest thread
  double waitShare = 0;       // of the time, by the thread that waited most
  Nanos endedNs = 0;
  std::string tlsDescription;

  uint64_t failed() const;
  void add(const Tally& other);
};

/** Counts per second of the measured time, handed over by the threads as each second ends. */
class SecondBoard {
 public:
  struct Second {
    uint64_t right = 0;
    uint64_t failed = 0;
    int64_t p50 = 0;
    int64_t p99 = 0;
    int64_t max = 0;
  };

  explicit SecondBoard(unsigned threads) : threads_(threads) {}

  static Histogram makeHistogram() { return Histogram(3'600'000'000'000, 2); }

  void hand(size_t second, uint64_t right, uint64_t failed, const Histogram& latency);

  /** Seconds that all threads have handed in, in order; each is given once. */
  std::vector<Second> takeComplete();

  /** The rest, at the end of a run. */
  std::vector<Second> takeAll();

 private:
  struct Slot {
    unsigned handed = 0;
    Second counts;
    Histogram latency = makeHistogram();
  };
  Second finish(Slot& slot);

  const unsigned threads_;
  std::mutex mutex_;
  size_t taken_ = 0;
  std::vector<Slot> slots_;  // from second `taken_`
};

/** How the threads start together and stop early. */
struct RunControl {
  std::atomic<unsigned> connected{0};  // threads whose connections are set up
  std::atomic<Nanos> startNs{0};       // 0 until all are
  std::atomic<unsigned> finished{0};
  std::atomic<bool> interrupted{false};
};

/** Runs one thread's share to its end. */
Tally runWorker(const RunConfig& config, unsigned id, RunControl& control, SecondBoard& board);
